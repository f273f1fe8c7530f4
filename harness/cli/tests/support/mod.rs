//! Running the `partywall` program as a user would, in folders of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

/// Folders for one test, and the program to be run in them.
pub struct Place {
    folder: TempDir,
    /// What comes before the program, where it is not run directly.
    wrapper: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Place {
    /// Empty folders.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state").display().to_string();
        let root = root().display().to_string();
        let variables = [("PARTYWALL_STATE", state), ("PARTYWALL_ROOT", root)];
        let variables = variables.map(|(name, value)| (name.to_string(), value));
        Self { folder, wrapper: Vec::new(), variables: variables.into() }
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file in the folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Set a variable of the program's environment.
    pub fn with(mut self, name: &str, value: impl AsRef<Path>) -> Self {
        self.variables.push((name.to_string(), value.as_ref().display().to_string()));
        self
    }

    /// A `docker` that is this shell script, and the first in `PATH`.
    pub fn with_docker(self, script: &str) -> Self {
        let program = self.write("bin/docker", &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.path("bin").display());
        self.with("PATH", path)
    }

    /// A file system of a few pages at `name`, which only the program sees. `false` where the
    /// machine lets nobody mount one.
    pub fn with_tiny_disk(mut self, name: &str, options: &str) -> (Self, bool) {
        let place = self.path(name);
        fs::create_dir_all(&place).unwrap();
        let mount = format!("mount -t tmpfs -o {options} tmpfs '{}'", place.display());
        let shell = |last: &str| {
            let script = format!("{mount} && {last}");
            ["unshare", "--map-root-user", "--mount", "sh", "-c", &script, "sh"]
                .map(str::to_string)
                .to_vec()
        };
        let trial = shell("true");
        let possible = Command::new(&trial[0]).args(&trial[1..]).output();
        self.wrapper = shell("exec \"$@\"");
        (self, possible.is_ok_and(|output| output.status.success()))
    }

    /// The program with these arguments, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_partywall").to_string();
        let mut words = self.wrapper.iter().chain([&program]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).args(arguments).current_dir(self.folder.path());
        for name in ["PARTYWALL_SESSION", "PARTYWALL_LAYOUT", "XDG_STATE_HOME"] {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Run the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let output = self.command(arguments).output().unwrap();
        self.outcome(&output)
    }

    /// What a run was, without the folders' own names.
    pub fn outcome(&self, output: &Output) -> Outcome {
        let folder = self.folder.path().display().to_string();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&folder, "FOLDER");
        let code = output.status.code();
        Outcome { code, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

/// What a run ended with.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code.
    pub code: Option<i32>,
    /// Results.
    pub stdout: String,
    /// Messages.
    pub stderr: String,
}

impl Outcome {
    /// The run ended with this code, and its messages hold each of these.
    #[track_caller]
    pub fn ends(&self, code: i32, messages: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for message in messages {
            assert!(self.stderr.contains(message), "no `{message}` in {self:#?}");
        }
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
    }
}
