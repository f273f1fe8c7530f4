//! Where things are kept: the content cache, the sessions, the project's own files. The only
//! place that reads the environment.

use std::env;
use std::path::{Path, PathBuf};

/// A folder by its own variable, then by the XDG one, then below the home folder.
fn folder(own: &str, xdg: &str, below_home: &str) -> PathBuf {
    if let Some(path) = env::var_os(own) {
        return PathBuf::from(path);
    }
    if let Some(path) = env::var_os(xdg).filter(|path| !path.is_empty()) {
        return PathBuf::from(path).join("partywall");
    }
    let home = env::var_os("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from);
    home.join(below_home).join("partywall")
}

/// The content cache: `PARTYWALL_CACHE`, `XDG_CACHE_HOME/partywall`, `~/.cache/partywall`.
pub fn cache() -> PathBuf {
    folder("PARTYWALL_CACHE", "XDG_CACHE_HOME", ".cache")
}

/// The sessions: `PARTYWALL_STATE`, `XDG_STATE_HOME/partywall`, `~/.local/state/partywall`.
pub fn state() -> PathBuf {
    folder("PARTYWALL_STATE", "XDG_STATE_HOME", ".local/state")
}

/// The root of the Partywall repository: `PARTYWALL_ROOT`, or the nearest folder upwards that
/// holds `kind-config/images.lock`, or the one this program was built in.
pub fn root() -> PathBuf {
    if let Some(path) = env::var_os("PARTYWALL_ROOT") {
        return PathBuf::from(path);
    }
    let here = env::current_dir().unwrap_or_default();
    let is_root = |folder: &&Path| folder.join("kind-config/images.lock").is_file();
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let found = here.ancestors().find(is_root).or(built);
    found.map_or(here.clone(), Path::to_path_buf)
}

/// A variable of the environment.
pub fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
