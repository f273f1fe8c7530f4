//! From the images lock to the references and programs that a session is made of.

use std::path::Path;

use partywall_images::{Bundle, Mode, Workspace, registry_answers};

use crate::args::ImageSource;
use crate::failure::Failure;
use crate::{paths, print};

/// What a session is made of, and what layouts' image names become.
pub struct Resolved {
    /// For the live backend.
    pub bundle: partywall_live::Bundle,
    /// Image names of the fixtures and what stands in their place, where that differs.
    pub images: Vec<(String, String)>,
}

/// The bundle of this repository, with its results in `cache`.
pub fn open(cache: &Path) -> Result<Bundle, Failure> {
    let mut workspace = Workspace::new(paths::root());
    workspace.cache = cache.to_path_buf();
    Bundle::open(workspace).map_err(Failure::usage)
}

/// Where images come from: a registry if one answers, unless the user says.
pub fn mode(bundle: &Bundle, source: ImageSource, mirror: Option<&str>) -> Mode {
    let registry = || Mode::Registry { mirror: mirror.map(str::to_string) };
    match source {
        ImageSource::Bundle => Mode::Bundle,
        ImageSource::Registry => registry(),
        ImageSource::Auto if registry_answers(bundle.lock(), mirror) => registry(),
        ImageSource::Auto => Mode::Bundle,
    }
}

/// What `up` needs, in this mode.
pub fn resolve(source: ImageSource, mirror: Option<&str>) -> Result<Resolved, Failure> {
    let bundle = open(&paths::cache())?;
    let mode = mode(&bundle, source, mirror);
    if matches!(mode, Mode::Registry { .. }) {
        print::note("images: published references of kind-config/images.lock");
    }
    let image = |name: &str| bundle.resolve(&mode, name).map_err(Failure::environment);
    let program = |name: &str| bundle.program(name).map_err(Failure::environment);
    let components = bundle.references(&mode);
    let mut images = Vec::new();
    for (name, reference) in bundle.references(&Mode::Bundle) {
        match components.get(&name) {
            Some(other) if *other != reference => images.push((reference, other.clone())),
            _ => {}
        }
    }
    let bundle = partywall_live::Bundle {
        kind: program("kind")?,
        sops: program("sops")?,
        node: image("node")?,
        git_server: image("git-server")?,
        agent: image("agent")?,
        components,
    };
    Ok(Resolved { bundle, images })
}
