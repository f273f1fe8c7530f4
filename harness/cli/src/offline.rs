//! What the commands that need no cluster share: the layout's files, the programs, the keys.

use std::path::{Path, PathBuf};

use partywall_core::cluster::Backend;
use partywall_images::ResolveError;
use partywall_offline::cluster::{OfflineCluster, Surroundings};
use partywall_offline::render::Programs;
use partywall_offline::secret::Keys;
use partywall_runner::{Files, Judgeable, Place, Rendering, load_files, load_keys};

use crate::args::{FilesArgs, ImageSource};
use crate::commands::build_images;
use crate::failure::Failure;
use crate::project::{default_layout, fixture_keys};
use crate::{bundle, paths, print};

/// Components of the bundle that render layouts.
const RENDERERS: [&str; 2] = ["kustomize", "helm"];
/// Where rendered folders are kept, in the content cache.
const RENDERED: &str = "rendered";

/// The name that trials of the offline backend begin with.
pub const BACKEND: Backend = Backend::Offline;

/// A layout that was read and rendered.
pub struct Opened {
    /// The files and the contract.
    pub files: Files,
    /// What Flux would apply.
    pub judgeable: Judgeable,
    /// Keys that open its sealed files.
    pub keys: Keys,
}

impl Opened {
    /// The backend that answers from these files, with this around them.
    pub fn cluster(&self, around: &Surroundings) -> OfflineCluster<'_> {
        let (project, rendered) = (&self.files.project, &self.judgeable.rendered);
        OfflineCluster::new(&project.layout, rendered, &project.contract, &self.keys, around)
    }
}

/// The folder of the layout that the arguments name, or of the reference layout.
pub fn folder(arguments: &FilesArgs) -> Result<PathBuf, Failure> {
    arguments.path.clone().map_or_else(default_layout, Ok)
}

/// Read and render the layout that the arguments name.
pub fn open(arguments: &FilesArgs, revision: Option<&str>) -> Result<Opened, Failure> {
    let directory = folder(arguments)?;
    let rendering = rendering(arguments.entry.clone(), !arguments.no_cache)?;
    open_at(&directory, revision, arguments.keys.as_deref(), &rendering)
}

/// Read and render a layout.
pub fn open_at(
    directory: &Path,
    revision: Option<&str>,
    keys: Option<&Path>,
    rendering: &Rendering,
) -> Result<Opened, Failure> {
    open_copy(directory, directory, revision, keys, rendering)
}

/// Read and render a layout, or a scratch copy of one: other repositories and TEST-ONLY keys are
/// those of `base`.
pub fn open_copy(
    directory: &Path,
    base: &Path,
    revision: Option<&str>,
    keys: Option<&Path>,
    rendering: &Rendering,
) -> Result<Opened, Failure> {
    let place = place(directory, base, revision)?;
    let files = load_files(&place, rendering)?;
    let named = keys;
    let keys = named.map(Path::to_path_buf).or_else(|| fixture_keys(base));
    let keys = load_keys(keys.as_deref(), &files.project.contract)?;
    if let (Some(folder), true) = (named, keys.is_empty()) {
        return Err(Failure::usage(format!(
            "{} holds the key of no tenant of the contract\nhint: --keys names a folder of \
             `*.agekey` files",
            folder.display()
        )));
    }
    let judgeable = futures::executor::block_on(files.deploy(rendering)).map_err(render_failure)?;
    Ok(Opened { files, judgeable, keys })
}

fn place(directory: &Path, base: &Path, revision: Option<&str>) -> Result<Place, Failure> {
    if !directory.is_dir() {
        return Err(Failure::usage(format!(
            "{} is not a folder\nhint: name a layout's root",
            directory.display()
        )));
    }
    let revision = revision.map(str::to_string);
    Ok(Place { directory: directory.to_path_buf(), base: base.to_path_buf(), revision })
}

/// What rendering needs: the programs, built first where they are missing.
pub fn rendering(entry: Option<String>, cached: bool) -> Result<Rendering, Failure> {
    let cache = paths::cache();
    let bundle = bundle::open(&cache)?;
    let program = |name: &str| match bundle.program(name) {
        Err(ResolveError::NotBuilt { .. }) => {
            print::note("building the programs that render layouts, once");
            let only = RENDERERS.map(str::to_string);
            build_images(&cache, &only, ImageSource::Bundle, None)?;
            bundle.program(name).map_err(Failure::environment)
        }
        found => found.map_err(Failure::environment),
    };
    let programs = Programs { kustomize: program(RENDERERS[0])?, helm: program(RENDERERS[1])? };
    let cache: Option<PathBuf> = cached.then(|| cache.join(RENDERED));
    Ok(Rendering { programs, cache, entry })
}

/// A layout that cannot be rendered at all is bad input, unless a program is at fault.
pub fn render_failure(error: partywall_offline::render::RenderError) -> Failure {
    Failure::usage(error)
}
