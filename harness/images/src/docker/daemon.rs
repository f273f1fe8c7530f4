//! The daemon's configuration file, of which only the default runtime is ours.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::ensure::DockerError;

/// The daemon's configuration file.
pub const DAEMON_CONFIG: &str = "/etc/docker/daemon.json";

/// The name of our runtime in it.
pub(crate) const RUNTIME: &str = "partywall";

/// Whether the host needs the runtime wrapper, and has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShimState {
    /// The host grants every capability that Docker asks for.
    NotNeeded,
    /// It was there already.
    InPlace,
    /// It was written by this call.
    Written,
}

/// The wrapper that a configuration names, if it makes it the default runtime.
fn configured_shim(config: &Value) -> Option<PathBuf> {
    let default = config.get("default-runtime")?.as_str()?;
    let path = config.get("runtimes")?.get(default)?.get("path")?.as_str()?;
    (default == RUNTIME).then(|| PathBuf::from(path))
}

/// Adds our runtime and makes it the default; everything else stays.
fn with_shim(config: Value, shim: &Path) -> Value {
    let mut config = match config {
        Value::Object(config) => config,
        _ => Map::new(),
    };
    let runtimes = config.entry("runtimes").or_insert_with(|| json!({}));
    if let Value::Object(runtimes) = runtimes {
        runtimes.insert(RUNTIME.to_owned(), json!({"path": shim}));
    }
    config.insert("default-runtime".to_owned(), json!(RUNTIME));
    Value::Object(config)
}

/// Puts a copy of `program` in the cache and names it in the daemon's configuration. A wrapper that
/// is configured and still there is left alone, whoever put it there.
pub(crate) fn install_shim(
    config_path: &Path,
    program: &Path,
    cache: &Path,
) -> Result<ShimState, DockerError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| DockerError::Configure { path, source }
    };
    let config = match std::fs::read(config_path) {
        Ok(text) => {
            serde_json::from_slice(&text).map_err(|error| failed(config_path)(error.into()))?
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => json!({}),
        Err(error) => return Err(failed(config_path)(error)),
    };
    if configured_shim(&config).is_some_and(|path| crate::content::is_executable(&path)) {
        return Ok(ShimState::InPlace);
    }
    let shim = cache.join("bin").join(crate::shim::SHIM_NAME);
    replace_file(&shim, |temporary| std::fs::copy(program, temporary).map(drop))
        .map_err(failed(&shim))?;
    let text = serde_json::to_vec_pretty(&with_shim(config, &shim)).unwrap_or_default();
    replace_file(config_path, |temporary| std::fs::write(temporary, &text))
        .map_err(failed(config_path))?;
    Ok(ShimState::Written)
}

/// Writes beside the file and then renames: the old one may be running, or be read by the daemon.
fn replace_file(
    path: &Path,
    write: impl FnOnce(&Path) -> std::io::Result<()>,
) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let temporary = path.with_extension("partywall-new");
    write(&temporary)?;
    std::fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keeps_what_the_user_configured() {
        let config = json!({"data-root": "/data", "runtimes": {"nvidia": {"path": "/n"}}});
        let merged = with_shim(config, Path::new("/cache/shim"));
        assert_eq!(
            merged,
            json!({
                "data-root": "/data",
                "runtimes": {"nvidia": {"path": "/n"}, "partywall": {"path": "/cache/shim"}},
                "default-runtime": "partywall",
            })
        );
        assert_eq!(configured_shim(&merged), Some(PathBuf::from("/cache/shim")));
        assert_eq!(configured_shim(&json!({"default-runtime": "nvidia"})), None);
    }

    #[test]
    fn writes_once_and_again_when_the_copy_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let (config, program) = (dir.path().join("etc/daemon.json"), dir.path().join("program"));
        std::fs::write(&program, "binary").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let install = || install_shim(&config, &program, dir.path()).unwrap();
        assert_eq!(install(), ShimState::Written);
        assert_eq!(install(), ShimState::InPlace);
        std::fs::remove_file(dir.path().join("bin").join(crate::shim::SHIM_NAME)).unwrap();
        assert_eq!(install(), ShimState::Written);
    }

    #[test]
    fn refuses_to_overwrite_a_file_that_it_cannot_read() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("daemon.json");
        std::fs::write(&config, "{ half").unwrap();
        let error = install_shim(&config, Path::new("/bin/sh"), dir.path()).unwrap_err();
        assert!(error.to_string().starts_with("failed to configure Docker in"), "{error}");
        assert_eq!(std::fs::read_to_string(&config).unwrap(), "{ half");
    }
}
