//! The pinned `sops`, for tests that ask it.

use std::path::PathBuf;

use partywall_images::{Bundle, Workspace};

/// The program: where the environment says, or as it was built on this machine.
pub fn sops() -> PathBuf {
    if let Some(path) = std::env::var_os("PARTYWALL_SOPS") {
        return path.into();
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let bundle = Bundle::open(Workspace::new(root)).expect("the lock file is well formed");
    bundle.program("sops").unwrap_or_else(|error| {
        panic!("{error}: run `partywall images build sops`, or set PARTYWALL_SOPS")
    })
}
