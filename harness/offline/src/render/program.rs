//! Running `kustomize` and `helm` in a folder that holds what they may read, and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use partywall_tool::{Tool, ToolError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::options::RenderError;

/// No layout of people's own making takes this long to build.
const LIMIT: Duration = Duration::from_secs(60);

/// Short runs need no garbage collector; a hostile input must still not eat the machine.
const GO: [(&str, &str); 2] = [("GOGC", "off"), ("GOMEMLIMIT", "1GiB")];

/// A discard port: what would go out into the network ends here.
const NOWHERE: &str = "http://127.0.0.1:9";

/// One run: all that its result depends on.
pub(super) struct Run<'a> {
    pub(super) name: &'static str,
    pub(super) program: &'a Path,
    pub(super) args: Vec<String>,
    /// Files of the folder in which it runs.
    pub(super) files: BTreeMap<String, String>,
    pub(super) stdin: String,
}

/// How a run ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ran {
    pub(super) good: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Run<'_> {
    /// The result out of the cache, or of a run.
    pub(super) fn ran(&self, cache: Option<&Path>) -> Result<Ran, RenderError> {
        let entry = cache.map(|cache| cache.join(self.key()));
        if let Some(ran) = entry.as_deref().and_then(kept) {
            return Ok(ran);
        }
        let ran = self.run(LIMIT)?;
        if let Some(entry) = entry {
            keep(&entry, &ran);
        }
        Ok(ran)
    }

    fn run(&self, limit: Duration) -> Result<Ran, RenderError> {
        let failed = |source| RenderError::Scratch { program: self.name, source };
        let scratch = tempfile::tempdir().map_err(failed)?;
        let (root, home) = (scratch.path().join("root"), scratch.path().join("home"));
        fs::create_dir_all(&home).map_err(failed)?;
        fs::create_dir_all(&root).map_err(failed)?;
        for (path, text) in &self.files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap_or(&root)).map_err(failed)?;
            fs::write(path, text).map_err(failed)?;
        }
        let output = match self.tool(&root, &home).timeout(limit).run_unchecked() {
            Err(ToolError::TimedOut { .. }) => {
                return Err(self.cut(format!("did not end within {} s", limit.as_secs_f32())));
            }
            output => output?,
        };
        // What a signal ended says nothing of its input, and must not be kept as if it did.
        if output.exit.is_none() {
            return Err(self.cut("was killed (by the system, where memory runs out)".to_string()));
        }
        let shown = |text: &str| text.replace(&*root.to_string_lossy(), "");
        Ok(Ran {
            good: output.success(),
            stdout: output.stdout_text().into_owned(),
            stderr: shown(&output.stderr_text()),
        })
    }

    fn cut(&self, why: String) -> RenderError {
        RenderError::Cut { program: self.name, why }
    }

    /// Neither program finds another one, a cluster, or the network.
    fn tool(&self, root: &Path, home: &Path) -> Tool {
        let mut tool = Tool::new(self.program).args(&self.args).dir(root);
        for name in ["PATH", "HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            tool = tool.env(name, home);
        }
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"] {
            tool = tool.env(name, NOWHERE);
        }
        for name in ["NO_PROXY", "no_proxy", "KUBECONFIG"] {
            tool = tool.env(name, "");
        }
        for (name, value) in GO {
            tool = tool.env(name, value);
        }
        if self.stdin.is_empty() { tool } else { tool.stdin(self.stdin.as_bytes()) }
    }

    fn key(&self) -> String {
        let mut hash = Sha256::new();
        let mut field = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        field(self.name);
        field(&identity(self.program));
        self.args.iter().for_each(|arg| field(arg));
        field(&self.stdin);
        for (path, text) in &self.files {
            field(path);
            field(text);
        }
        hex(&hash.finalize())
    }
}

/// What tells one build of a program from another without reading its tens of megabytes.
fn identity(program: &Path) -> String {
    let about = fs::metadata(program).ok();
    let size = about.as_ref().map_or(0, fs::Metadata::len);
    let changed = about.and_then(|about| about.modified().ok());
    let changed = changed.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    format!("{} {size} {}", program.display(), changed.as_nanos())
}

/// A kept result; none if the entry is not what was written.
fn kept(entry: &Path) -> Option<Ran> {
    let text = fs::read_to_string(entry).ok()?;
    let (sum, body) = text.split_once('\n')?;
    if sum != hex(&Sha256::digest(body.as_bytes())) {
        return None;
    }
    serde_json::from_str(body).ok()
}

/// Keeps a result. A cache that cannot be written is no cache, and nothing else.
fn keep(entry: &Path, ran: &Ran) {
    let write = || -> std::io::Result<()> {
        let folder = entry.parent().map(PathBuf::from).unwrap_or_default();
        fs::create_dir_all(&folder)?;
        let body = serde_json::to_string(ran)?;
        let file = tempfile::NamedTempFile::new_in(folder)?;
        fs::write(file.path(), format!("{}\n{body}", hex(&Sha256::digest(body.as_bytes()))))?;
        file.persist(entry)?;
        Ok(())
    };
    let _ = write();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn echo(stdin: &str) -> Run<'static> {
        Run {
            name: "cat",
            program: Path::new("/bin/cat"),
            args: vec!["-".to_string(), "a/b.txt".to_string()],
            files: BTreeMap::from([("a/b.txt".to_string(), "file".to_string())]),
            stdin: stdin.to_string(),
        }
    }

    #[test]
    fn runs_once_per_content_and_survives_a_damaged_entry() {
        let cache = tempfile::tempdir().unwrap();
        let ran = echo("in ").ran(Some(cache.path())).unwrap();
        assert_eq!((ran.good, ran.stdout.as_str()), (true, "in file"));
        let entry = cache.path().join(echo("in ").key());
        let text = fs::read_to_string(&entry).unwrap();
        let other = serde_json::to_string(&Ran { stdout: "kept".to_string(), ..ran }).unwrap();
        fs::write(&entry, format!("{}\n{other}", hex(&Sha256::digest(other.as_bytes())))).unwrap();
        assert_eq!(echo("in ").ran(Some(cache.path())).unwrap().stdout, "kept");
        fs::write(&entry, text.replace("in file", "no file")).unwrap();
        assert_eq!(echo("in ").ran(Some(cache.path())).unwrap().stdout, "in file");
        assert_ne!(echo("in ").key(), echo("on ").key());
    }

    #[rstest]
    #[case::endless("while :; do :; done", "`sh` did not end within 0.2 s")]
    #[case::killed("kill -9 $$", "`sh` was killed (by the system, where memory runs out)")]
    fn what_does_not_end_by_itself_is_not_kept(#[case] script: &str, #[case] expected: &str) {
        let run = Run {
            name: "sh",
            program: Path::new("/bin/sh"),
            args: vec!["-c".to_string(), script.to_string()],
            files: BTreeMap::new(),
            stdin: String::new(),
        };
        let error = run.run(Duration::from_millis(200)).unwrap_err();
        assert!(matches!(error, RenderError::Cut { .. }));
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn sees_no_path_and_no_way_out() {
        let run = Run {
            name: "env",
            program: Path::new("/usr/bin/env"),
            args: Vec::new(),
            files: BTreeMap::new(),
            stdin: String::new(),
        };
        let text = run.ran(None).unwrap().stdout;
        assert!(text.contains("HTTPS_PROXY=http://127.0.0.1:9\n"), "{text}");
        assert!(!text.contains("/usr/bin"), "{text}");
    }
}
