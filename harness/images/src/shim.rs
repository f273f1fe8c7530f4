//! The OCI runtime wrapper for hosts that cannot grant every capability.
//!
//! Docker asks its runtime for all capabilities of a `--privileged` container. Where the host's own
//! bounding set lacks one (a sandbox, a nested container), runc gives up. The wrapper removes from
//! the container's configuration what cannot be granted and then becomes runc. A host that grants
//! everything does not get it; see [`crate::docker::ensure`].

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::docker::host::{Capabilities, host_capabilities};

/// The file name by which a program knows that it was called as the wrapper.
pub const SHIM_NAME: &str = "partywall-oci-shim";

/// Why the wrapper could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ShimError {
    /// A container's configuration cannot be read or written.
    #[error("failed to edit {}", path.display())]
    Edit {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The kernel did not say what it grants.
    #[error("failed to read the capabilities of this host from /proc/self/status")]
    Capabilities,
    /// runc could not be started.
    #[error("failed to run runc (is it installed?)")]
    Runc(#[source] std::io::Error),
}

/// Runs as the wrapper if the program was called by its name. To be the first line of `main` of a
/// program that may be copied there; it returns only where the program is something else.
pub fn run_if_called_by_name() {
    let mut args = std::env::args_os();
    let name = args.next().map(PathBuf::from);
    if name.is_some_and(|path| path.file_name() == Some(OsStr::new(SHIM_NAME))) {
        std::process::exit(run(args.collect()));
    }
}

/// Edits what runc is about to read and becomes runc; returns an exit code only on failure.
pub fn run(args: Vec<OsString>) -> i32 {
    let error = match edit_for(&args) {
        Ok(()) => ShimError::Runc(become_runc(&args)),
        Err(error) => error,
    };
    // Docker shows what its runtime writes to standard error.
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
    let _ = std::io::Write::write_fmt(
        &mut std::io::stderr(),
        format_args!("{SHIM_NAME}: {error}{}\n", cause.unwrap_or_default()),
    );
    1
}

#[expect(clippy::disallowed_methods, reason = "the wrapper must be replaced by runc, not run it")]
fn become_runc(args: &[OsString]) -> std::io::Error {
    use std::os::unix::process::CommandExt;
    let usual = ["/usr/bin/runc", "/usr/sbin/runc", "/usr/local/bin/runc"];
    let found = partywall_tool::find_program("runc")
        .or_else(|| usual.iter().map(PathBuf::from).find(|path| path.is_file()));
    std::process::Command::new(found.unwrap_or_else(|| PathBuf::from("runc"))).args(args).exec()
}

/// The file that a runc command line is about to read, and where the process stands in it.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// `config.json` of a bundle; the process is a part of it.
    Config(PathBuf),
    /// The file of `exec --process`; it is the process.
    Process(PathBuf),
}

fn edit_for(args: &[OsString]) -> Result<(), ShimError> {
    let Some(target) = target_of(args) else {
        return Ok(());
    };
    let granted = host_capabilities().ok_or(ShimError::Capabilities)?;
    match target {
        Target::Config(path) => edit_file(&path, |config| {
            if let Some(process) = config.get_mut("process") {
                strip_process(process, granted);
            }
        }),
        Target::Process(path) => edit_file(&path, |process| strip_process(process, granted)),
    }
}

fn target_of(args: &[OsString]) -> Option<Target> {
    let verb = args.iter().find(|arg| matches!(arg.to_str(), Some("create" | "run" | "exec")))?;
    if verb == "exec" {
        return option(args, "--process", "-p").map(Target::Process);
    }
    let bundle = option(args, "--bundle", "-b").unwrap_or_else(|| PathBuf::from("."));
    Some(Target::Config(bundle.join("config.json")))
}

/// The value of an option, as `--name value` or `--name=value`.
fn option(args: &[OsString], long: &str, short: &str) -> Option<PathBuf> {
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == long || arg == short {
            return args.next().map(PathBuf::from);
        }
        let text = arg.to_string_lossy();
        if let Some(value) = text.strip_prefix(long).and_then(|rest| rest.strip_prefix('=')) {
            return Some(PathBuf::from(value));
        }
    }
    None
}

fn edit_file(path: &Path, edit: impl FnOnce(&mut Value)) -> Result<(), ShimError> {
    let failed = |source| ShimError::Edit { path: path.to_path_buf(), source };
    let text = std::fs::read(path).map_err(failed)?;
    let mut value: Value = serde_json::from_slice(&text).map_err(|e| failed(e.into()))?;
    edit(&mut value);
    let text = serde_json::to_vec(&value).map_err(|e| failed(e.into()))?;
    std::fs::write(path, text).map_err(failed)
}

/// Removes from a process what the host cannot grant: capabilities outside its bounding set, an OOM
/// score below zero, and limits, which could only be raised.
fn strip_process(process: &mut Value, granted: Capabilities) {
    let Some(process) = process.as_object_mut() else {
        return;
    };
    if let Some(Value::Object(sets)) = process.get_mut("capabilities") {
        for set in sets.values_mut().filter_map(Value::as_array_mut) {
            set.retain(|name| name.as_str().is_some_and(|name| granted.has(name)));
        }
    }
    if process.get("oomScoreAdj").and_then(Value::as_i64).is_some_and(|score| score < 0) {
        process.remove("oomScoreAdj");
    }
    process.remove("rlimits");
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    /// Everything but CAP_SYS_RESOURCE, as seen in a sandbox.
    const WITHOUT_RESOURCE: Capabilities = Capabilities::from_bits(0x1ff_feff_ffff);

    #[rstest]
    #[case::capability(
        json!({"capabilities": {"bounding": ["CAP_CHOWN", "CAP_SYS_RESOURCE"], "effective": ["CAP_SYS_RESOURCE"]}}),
        json!({"capabilities": {"bounding": ["CAP_CHOWN"], "effective": []}}),
    )]
    #[case::unknown_capability(
        json!({"capabilities": {"bounding": ["CAP_FROM_THE_FUTURE", "CAP_KILL"]}}),
        json!({"capabilities": {"bounding": ["CAP_KILL"]}}),
    )]
    #[case::negative_score(json!({"oomScoreAdj": -999, "cwd": "/"}), json!({"cwd": "/"}))]
    #[case::other_score(json!({"oomScoreAdj": 500}), json!({"oomScoreAdj": 500}))]
    #[case::limits(json!({"rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1048576}]}), json!({}))]
    #[case::nothing_to_remove(json!({"args": ["sh"], "env": ["A=1"]}), json!({"args": ["sh"], "env": ["A=1"]}))]
    fn strips_what_cannot_be_granted(#[case] mut process: Value, #[case] expected: Value) {
        strip_process(&mut process, WITHOUT_RESOURCE);
        assert_eq!(process, expected);
    }

    #[rstest]
    #[case(&["--root", "/r", "--log", "/l", "create", "--bundle", "/b", "--pid-file", "/p", "id"], Some(Target::Config("/b/config.json".into())))]
    #[case(&["create", "--bundle=/b", "id"], Some(Target::Config("/b/config.json".into())))]
    #[case(&["run", "id"], Some(Target::Config("./config.json".into())))]
    #[case(&["--root", "/r", "exec", "--process", "/tmp/p", "--detach", "id"], Some(Target::Process("/tmp/p".into())))]
    #[case(&["exec", "-p", "/tmp/p", "id"], Some(Target::Process("/tmp/p".into())))]
    #[case(&["exec", "id", "sh"], None)]
    #[case(&["--root", "/r", "kill", "--all", "id", "9"], None)]
    #[case(&["--version"], None)]
    fn finds_the_file_that_runc_reads(#[case] args: &[&str], #[case] expected: Option<Target>) {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        assert_eq!(target_of(&args), expected);
    }

    #[test]
    fn edits_the_process_of_a_bundle_and_keeps_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        let config = json!({"ociVersion": "1.0.2", "process": {"oomScoreAdj": -1}, "linux": {}});
        std::fs::write(&path, config.to_string()).unwrap();
        let args = ["create", "--bundle"].map(OsString::from).into_iter();
        edit_for(&args.chain([dir.path().into()]).collect::<Vec<_>>()).unwrap();
        let edited: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(edited, json!({"ociVersion": "1.0.2", "process": {}, "linux": {}}));
    }

    #[test]
    fn names_the_file_that_is_missing() {
        let args = ["create", "-b", "/no/such"].map(OsString::from);
        assert_eq!(edit_for(&args).unwrap_err().to_string(), "failed to edit /no/such/config.json");
    }
}
