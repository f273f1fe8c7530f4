//! Where sources are read and results are kept.

use std::path::{Path, PathBuf};

use crate::content::{Key, KeyMaker};

/// The two folders of a build: the repository and the content cache.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The repository's root, with `kind-config/` and `harness/`.
    pub root: PathBuf,
    /// The content cache.
    pub cache: PathBuf,
    /// A Debian mirror in place of debootstrap's own default.
    pub debian_mirror: Option<String>,
}

impl Workspace {
    /// A repository, and the cache that the environment names: `$PARTYWALL_CACHE`, or
    /// `partywall` in `$XDG_CACHE_HOME`, or in `~/.cache`. `$PARTYWALL_DEBIAN_MIRROR` is honoured.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = || PathBuf::from(variable("HOME").unwrap_or_else(|| "/root".into()));
        let caches =
            || variable("XDG_CACHE_HOME").map_or_else(|| home().join(".cache"), Into::into);
        let cache =
            variable("PARTYWALL_CACHE").map_or_else(|| caches().join("partywall"), PathBuf::from);
        let debian_mirror =
            variable("PARTYWALL_DEBIAN_MIRROR").and_then(|value| value.into_string().ok());
        Self { root: root.into(), cache, debian_mirror }
    }

    /// The same repository with another cache.
    #[must_use]
    pub fn with_cache(mut self, cache: impl Into<PathBuf>) -> Self {
        self.cache = cache.into();
        self
    }

    /// The lock file.
    pub fn lock_path(&self) -> PathBuf {
        self.kind_config().join("images.lock")
    }

    /// The folder with everything the cluster is made of.
    pub fn kind_config(&self) -> PathBuf {
        self.root.join("kind-config")
    }

    pub(crate) fn module(&self, name: &str) -> PathBuf {
        self.kind_config().join("modules").join(name)
    }

    pub(crate) fn bundle(&self) -> PathBuf {
        self.cache.join("bundle")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.cache.join("logs")
    }

    pub(crate) fn scratch(&self) -> PathBuf {
        self.cache.join("scratch")
    }

    /// A name for what belongs to this cache and to no other.
    pub(crate) fn owner(&self) -> Key {
        KeyMaker::new("owner").field("cache", self.cache.as_os_str().as_encoded_bytes()).key()
    }

    /// The folder of a path inside the repository.
    pub(crate) fn inside(&self, path: &str) -> PathBuf {
        self.root.join(Path::new(path))
    }
}
