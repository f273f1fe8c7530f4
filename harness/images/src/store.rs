//! Finished results in the content cache: `bundle/<component>-<key>/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::content::{Key, file_digest, files_below};
use crate::error::BuildError;

/// The record that makes a folder a finished result. It is written last.
const RECORD: &str = "done.json";

/// What was built, and when it is still what was built.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The full key.
    pub key: String,
    /// How long the build took.
    pub seconds: f64,
    /// The sum of all files.
    pub bytes: u64,
    /// Path below the folder to SHA-256.
    pub files: BTreeMap<String, String>,
}

/// The part of the cache with finished results.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: PathBuf,
}

impl Store {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where a result is, or will be.
    pub(crate) fn place(&self, component: &str, key: &Key) -> PathBuf {
        self.folder.join(format!("{component}-{}", key.short()))
    }

    /// The record of a finished result.
    pub(crate) fn finished(&self, component: &str, key: &Key) -> Option<Record> {
        let text = fs::read(self.place(component, key).join(RECORD)).ok()?;
        let record: Record = serde_json::from_slice(&text).ok()?;
        (record.key == key.as_str()).then_some(record)
    }

    /// An empty folder to build in. It becomes the result by [`Store::finish`], in one step, so that
    /// an interrupted build leaves nothing that looks finished.
    pub(crate) fn begin(&self, component: &str, key: &Key) -> Result<PathBuf, BuildError> {
        let partial = self.partial(component, key);
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(BuildError::files("remove", &partial))?;
        }
        fs::create_dir_all(&partial).map_err(BuildError::files("create", &partial))?;
        Ok(partial)
    }

    /// Records what is in the partial folder and puts it in its place.
    pub(crate) fn finish(
        &self,
        component: &str,
        key: &Key,
        took: Duration,
    ) -> Result<Record, BuildError> {
        let (partial, place) = (self.partial(component, key), self.place(component, key));
        let mut record = Record {
            key: key.as_str().to_owned(),
            seconds: took.as_secs_f64(),
            bytes: 0,
            files: BTreeMap::new(),
        };
        for file in files_below(&partial)? {
            record.bytes += file.metadata().map_err(BuildError::files("read", &file))?.len();
            let name = file.strip_prefix(&partial).unwrap_or(&file).to_string_lossy().into_owned();
            record.files.insert(name, file_digest(&file)?);
        }
        let text = serde_json::to_vec_pretty(&record).unwrap_or_default();
        let path = partial.join(RECORD);
        fs::write(&path, text).map_err(BuildError::files("write", &path))?;
        if place.exists() {
            fs::remove_dir_all(&place).map_err(BuildError::files("remove", &place))?;
        }
        fs::rename(&partial, &place).map_err(BuildError::files("create", &place))?;
        Ok(record)
    }

    /// The first file of a result that is gone or is not what was built.
    pub(crate) fn damage(
        &self,
        component: &str,
        key: &Key,
        record: &Record,
    ) -> Result<Option<String>, BuildError> {
        let place = self.place(component, key);
        for (name, digest) in &record.files {
            let path = place.join(name);
            if !path.is_file() || file_digest(&path)? != *digest {
                return Ok(Some(name.clone()));
            }
        }
        Ok(None)
    }

    /// Removes a result, so that the next build makes it anew.
    pub(crate) fn forget(&self, component: &str, key: &Key) -> Result<(), BuildError> {
        let place = self.place(component, key);
        fs::remove_dir_all(&place).map_err(BuildError::files("remove", &place))
    }

    fn partial(&self, component: &str, key: &Key) -> PathBuf {
        self.folder.join("partial").join(format!("{component}-{}", key.short()))
    }

    /// Removes what interrupted builds left. Only under the build lock.
    pub(crate) fn sweep(&self) -> Result<(), BuildError> {
        let partial = self.folder.join("partial");
        match fs::remove_dir_all(&partial) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(BuildError::Files { action: "remove", path: partial, source })
            }
            _ => Ok(()),
        }
    }
}

/// Waits for the right to build: two builds in one cache would do the same work twice.
pub(crate) fn lock_builds(cache: &Path, waiting: impl FnOnce()) -> Result<fs::File, BuildError> {
    let path = cache.join("build.lock");
    fs::create_dir_all(cache).map_err(BuildError::files("create", cache))?;
    let file = fs::File::create(&path).map_err(BuildError::files("create", &path))?;
    if file.try_lock().is_err() {
        waiting();
        // The other build's steps are all bounded, and the system frees the lock when it ends.
        file.lock().map_err(BuildError::files("lock", &path))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::KeyMaker;

    fn key(of: &str) -> Key {
        KeyMaker::new("test").field("of", of).key()
    }

    #[test]
    fn an_interrupted_build_leaves_nothing_finished() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().to_path_buf());
        let partial = store.begin("etcd", &key("a")).unwrap();
        fs::write(partial.join("etcd"), "half").unwrap();
        assert!(store.finished("etcd", &key("a")).is_none());
        store.sweep().unwrap();
        assert!(!partial.exists());
    }

    #[test]
    fn a_result_is_found_by_its_whole_key_and_its_damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().to_path_buf());
        let key = key("a");
        let partial = store.begin("etcd", &key).unwrap();
        fs::create_dir(partial.join("bin")).unwrap();
        fs::write(partial.join("bin/etcd"), "program").unwrap();
        store.finish("etcd", &key, Duration::from_secs(2)).unwrap();
        let record = store.finished("etcd", &key).unwrap();
        assert_eq!(record.bytes, 7);
        assert!(store.finished("etcd", &self::key("b")).is_none());
        assert_eq!(store.damage("etcd", &key, &record).unwrap(), None);
        fs::write(store.place("etcd", &key).join("bin/etcd"), "another").unwrap();
        assert_eq!(store.damage("etcd", &key, &record).unwrap().as_deref(), Some("bin/etcd"));
    }
}
