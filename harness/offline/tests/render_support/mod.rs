//! What the tests of rendering share.

use std::path::PathBuf;

use partywall_core::Layout;
use partywall_images::{Bundle, Workspace};
use partywall_offline::render::{Options, Programs, Rendered, Repository, render};

/// The repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A pinned program: where the environment says, or as it was built on this machine.
fn program(name: &str, variable: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let bundle = Bundle::open(Workspace::new(root())).expect("the lock file is well formed");
    bundle.program(name).unwrap_or_else(|error| {
        panic!("{error}: run `partywall images build kustomize helm`, or set {variable}")
    })
}

/// The pinned programs.
pub fn programs() -> Programs {
    Programs {
        kustomize: program("kustomize", "PARTYWALL_KUSTOMIZE"),
        helm: program("helm", "PARTYWALL_HELM"),
    }
}

/// A layout, rendered whole.
pub fn rendered(layout: &Layout, repositories: &[Repository]) -> Rendered {
    let options = Options { programs: &programs(), cache: None, entry: None };
    render(layout, repositories, &options).expect("the layout renders")
}

/// What is not as it should be.
pub fn complaints(rendered: &Rendered) -> Vec<String> {
    let unready = rendered.flux.iter().filter(|object| !object.ready);
    let unready = unready.map(|object| {
        format!("{} {}: {}: {}", object.kind, object.name, object.reason, object.message)
    });
    let notes = rendered.not_judged.iter();
    let notes = notes.map(|note| format!("{} is not judged: {}", note.subject, note.reason));
    unready.chain(notes).collect()
}
