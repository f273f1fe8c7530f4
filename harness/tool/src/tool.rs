//! Building and running one command.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::environment::scrubbed;
use crate::error::ToolError;
use crate::output::Output;
use crate::secret::redact;
use crate::tail::{file_tail, last_lines};

/// The limit of a run whose caller sets none.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a killed program may take to be gone.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// How many lines of standard error an error message carries.
const TAIL_LINES: usize = 12;

/// What a program reads on its standard input.
#[derive(Clone)]
enum Stdin {
    Null,
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// One command to run: a program, its arguments, and the little it may see of our world.
#[derive(Clone)]
pub struct Tool {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    secrets: Vec<String>,
    dir: Option<PathBuf>,
    stdin: Stdin,
    log: Option<PathBuf>,
    timeout: Duration,
}

impl Tool {
    /// A program by name (looked up in `PATH`) or by path.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            secrets: Vec::new(),
            dir: None,
            stdin: Stdin::Null,
            log: None,
            timeout: DEFAULT_TIMEOUT,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds an argument that holds a secret: it is masked wherever the command or its output is
    /// shown. Other users of the machine can still see it, so prefer [`Tool::secret_env`] or stdin.
    #[must_use]
    pub fn secret_arg(mut self, arg: impl Into<String>) -> Self {
        let arg = arg.into();
        self.args.push(OsString::from(&arg));
        self.secrets.push(arg);
        self
    }

    /// Declares a text as secret, so that it is masked wherever it would be shown.
    #[must_use]
    pub fn redact(mut self, secret: impl Into<String>) -> Self {
        self.secrets.push(secret.into());
        self
    }

    /// Sets a variable on top of the scrubbed environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Sets a variable whose value is masked wherever it would be shown.
    #[must_use]
    pub fn secret_env(self, name: impl Into<OsString>, value: impl Into<String>) -> Self {
        let value = value.into();
        self.env(name, &value).redact(value)
    }

    /// Runs in this folder.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Gives these bytes on standard input; without, the program reads nothing.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Stdin::Bytes(bytes.into());
        self
    }

    /// Gives a file on standard input.
    #[must_use]
    pub fn stdin_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.stdin = Stdin::File(path.into());
        self
    }

    /// Appends standard output and error to a log file instead of keeping them: for long builds.
    #[must_use]
    pub fn log_to(mut self, path: impl Into<PathBuf>) -> Self {
        self.log = Some(path.into());
        self
    }

    /// Sets the time limit, at which the program is killed. The default is [`DEFAULT_TIMEOUT`].
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Runs to the end; anything but exit code 0 is an error that carries the last lines.
    pub fn run(&self) -> Result<Output, ToolError> {
        let mut streams = Streams::open(self)?;
        let output = self.finish(&mut streams)?;
        if output.success() {
            return Ok(output);
        }
        Err(ToolError::Failed {
            command: output.command.clone(),
            exit: output.exit,
            tail: self.tail(&mut streams),
            duration: output.duration,
        })
    }

    /// Runs to the end and leaves it to the caller what the exit code means.
    pub fn run_unchecked(&self) -> Result<Output, ToolError> {
        self.finish(&mut Streams::open(self)?)
    }

    fn finish(&self, streams: &mut Streams) -> Result<Output, ToolError> {
        let start = Instant::now();
        let handle = self.expression(streams)?.start().map_err(|e| self.start_error(e))?;
        let ended = handle.wait_timeout(self.timeout).map_err(|e| self.start_error(e))?;
        let Some(ended) = ended else {
            // A failure to kill leaves nothing better to report than the time-out itself.
            let _ = handle.kill();
            let _ = handle.wait_timeout(KILL_GRACE);
            let (command, after) = (self.to_string(), self.timeout);
            return Err(ToolError::TimedOut { command, after, tail: self.tail(streams) });
        };
        Ok(Output {
            command: self.to_string(),
            exit: ended.status.code(),
            stdout: streams.stdout(),
            stderr: streams.stderr(),
            duration: start.elapsed(),
        })
    }

    fn expression(&self, streams: &Streams) -> Result<duct::Expression, ToolError> {
        let (stdout, stderr) = streams.writers().map_err(|e| self.start_error(e))?;
        let mut expression = duct::cmd(&self.program, &self.args)
            .full_env(scrubbed().into_iter().chain(self.env.iter().cloned()))
            .stdout_file(stdout)
            .stderr_file(stderr)
            .unchecked();
        expression = match &self.stdin {
            Stdin::Null => expression.stdin_null(),
            Stdin::Bytes(bytes) => expression.stdin_bytes(bytes.clone()),
            Stdin::File(path) => expression.stdin_path(path),
        };
        Ok(match &self.dir {
            Some(dir) => expression.dir(dir),
            None => expression,
        })
    }

    fn tail(&self, streams: &mut Streams) -> String {
        redact(&last_lines(&streams.last_text(), TAIL_LINES), &self.secrets)
    }

    fn start_error(&self, source: std::io::Error) -> ToolError {
        let missing_dir = self.dir.as_ref().is_some_and(|dir| !dir.is_dir());
        if source.kind() == std::io::ErrorKind::NotFound && !missing_dir {
            let program = self.program.to_string_lossy().into_owned();
            if !matches!(&self.stdin, Stdin::File(path) if !path.exists()) {
                return ToolError::NotFound { program };
            }
        }
        ToolError::Start { command: self.to_string(), source }
    }
}

/// The command line as it may be shown and pasted: quoted, secrets masked, without environment.
impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = std::iter::once(&self.program).chain(&self.args).map(|word| quote(word));
        f.write_str(&redact(&words.collect::<Vec<_>>().join(" "), &self.secrets))
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool")
            .field("command", &self.to_string())
            .field("env", &self.env.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("dir", &self.dir)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// The full path of a program in `PATH`, if there is one.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn quote(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Where the two streams go. They are files, not pipes: a daemon that a program leaves behind
/// would hold a pipe open, and the wait for its end would never return.
enum Streams {
    Kept { stdout: File, stderr: File },
    Logged { path: PathBuf, log: File, from: u64 },
}

impl Streams {
    fn open(tool: &Tool) -> Result<Self, ToolError> {
        let Some(path) = &tool.log else {
            let stdout = tempfile::tempfile().map_err(|e| tool.start_error(e))?;
            let stderr = tempfile::tempfile().map_err(|e| tool.start_error(e))?;
            return Ok(Self::Kept { stdout, stderr });
        };
        let log_error = |source| ToolError::Log { path: path.clone(), source };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(log_error)?;
        }
        let log = OpenOptions::new().create(true).append(true).open(path).map_err(log_error)?;
        let from = log.metadata().map_err(log_error)?.len();
        Ok(Self::Logged { path: path.clone(), log, from })
    }

    fn writers(&self) -> std::io::Result<(File, File)> {
        match self {
            Self::Kept { stdout, stderr } => Ok((stdout.try_clone()?, stderr.try_clone()?)),
            Self::Logged { log, .. } => Ok((log.try_clone()?, log.try_clone()?)),
        }
    }

    fn stdout(&mut self) -> Vec<u8> {
        match self {
            Self::Kept { stdout, .. } => read_all(stdout),
            Self::Logged { .. } => Vec::new(),
        }
    }

    fn stderr(&mut self) -> Vec<u8> {
        match self {
            Self::Kept { stderr, .. } => read_all(stderr),
            Self::Logged { .. } => Vec::new(),
        }
    }

    /// What a failure message should quote: standard error, or standard output of programs that
    /// complain there, or this run's part of the log.
    fn last_text(&mut self) -> String {
        if let Self::Logged { path, from, .. } = self {
            return file_tail(path, *from);
        }
        let stderr = String::from_utf8_lossy(&self.stderr()).into_owned();
        if !stderr.trim().is_empty() {
            return stderr;
        }
        String::from_utf8_lossy(&self.stdout()).into_owned()
    }
}

fn read_all(file: &mut File) -> Vec<u8> {
    let mut bytes = Vec::new();
    // The file is an anonymous one of our own; if it cannot be read, there is nothing to show.
    let _ = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut bytes));
    bytes
}

#[cfg(test)]
#[path = "tool_tests.rs"]
mod tests;
