//! The reference layout with more tenants than it has.

use std::path::{Path, PathBuf};
use std::time::Instant;

use partywall_core::Exit;
use partywall_images::ResolveError;
use partywall_offline::scale::Scale;
use partywall_runner::{Project, load_project};

use super::bench::{Matrix, deploy_layout, line, matrix};
use super::build_images;
use crate::args::{ImageSource, Name};
use crate::failure::Failure;
use crate::project::reference;
use crate::{bundle, paths, print};

/// A layout on disk and the folder of its keys.
pub struct Large {
    /// The layout.
    pub layout: PathBuf,
    /// Its keys.
    pub keys: PathBuf,
}

/// Write a layout with so many tenants for a person to keep.
pub fn write(folder: &Path, tenants: usize) -> Result<Exit, Failure> {
    if folder.exists() {
        return Err(Failure::usage(format!(
            "{} is there already\nhint: name a folder that is not",
            folder.display()
        )));
    }
    let Large { layout, keys } = large(folder, tenants)?;
    let (layout, keys) = (layout.display(), keys.display());
    print::result(&format!("{tenants} tenants in {layout}, their keys in {keys}"));
    Ok(Exit::Holds)
}

/// Make the reference layout with so many tenants in a folder.
pub fn large(folder: &Path, tenants: usize) -> Result<Large, Failure> {
    let project = load_project(&reference())?;
    let sops = sops()?;
    let scale = Scale { tenants, sops: &sops };
    let made = scale.of(&project.layout, &project.contract).map_err(Failure::usage)?;
    let written = made.write(&project.directory, folder);
    let (layout, keys) = written.map_err(Failure::environment)?;
    Ok(Large { layout, keys })
}

/// The matrix of a layout with so many tenants on the same node, held against the one that was
/// measured before: with ten times the tenants it may take ten times as long, though the pairs
/// of tenants are far more than ten times as many.
pub fn measure(
    name: &Name,
    small: &Project,
    before: &Matrix,
    tenants: usize,
) -> Result<Exit, Failure> {
    let scratch = tempfile::tempdir()?;
    let Large { layout, keys } = large(scratch.path(), tenants)?;
    let project = load_project(&layout)?;
    let started = Instant::now();
    let objects = deploy_layout(name, &project, &keys)?;
    if let Some(object) = objects.iter().find(|object| !object.ready) {
        let name = format!("{} {}/{}", object.kind, object.namespace, object.name);
        return Err(Failure::environment(format!("{name} is not ready: {}", object.message)));
    }
    let took = format!("{:.1} s, {} objects", started.elapsed().as_secs_f64(), objects.len());
    line(&format!("{tenants} tenants pushed and reconciled"), &took, "no bar");
    let factor = tenants as f64 / small.contract.tenants.len() as f64;
    let bar = format!("{:.0} s: {factor:.0} times the smaller one", before.took * factor);
    let after = matrix(name, &project, &bar)?;
    let ratio = format!(
        "{:.1} times as long for {:.0} times the probes",
        after.took / before.took,
        after.probes as f64 / before.probes as f64
    );
    line(
        &format!("{factor:.0} times the tenants on the same node"),
        &ratio,
        &format!("{factor:.0} times"),
    );
    Ok(Exit::Holds)
}

/// The sops program, built first where it is missing.
fn sops() -> Result<PathBuf, Failure> {
    let cache = paths::cache();
    let bundle = bundle::open(&cache)?;
    match bundle.program("sops") {
        Err(ResolveError::NotBuilt { .. }) => {
            print::note("building the program that seals secrets, once");
            build_images(&cache, &["sops".to_string()], ImageSource::Bundle, None)?;
            bundle.program("sops").map_err(Failure::environment)
        }
        found => found.map_err(Failure::environment),
    }
}
