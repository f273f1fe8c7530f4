//! A Docker daemon that answers and can run a node, or the reason why not.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use partywall_tool::{Tool, ToolError, find_program};

use super::daemon::{DAEMON_CONFIG, RUNTIME, ShimState, install_shim};
use super::host;

/// How long an answer of a daemon may take.
const ANSWER: Duration = Duration::from_secs(20);
/// How long a daemon may take to come up.
const START: Duration = Duration::from_secs(90);
/// How long the package manager may take.
const INSTALL: Duration = Duration::from_secs(600);

/// Why Docker cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// No daemon, and none may or can be set up from here.
    #[error("failed to find a Docker daemon: {reason} (hint: {hint})")]
    Absent {
        /// What was found instead.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// The daemon was started and never answered.
    #[error("failed to start Docker: no answer within {} s (last: {last}; log: {})", START.as_secs(), log.display())]
    Silent {
        /// The last answer.
        last: String,
        /// The daemon's log.
        log: PathBuf,
    },
    /// The daemon runs and lacks the wrapper that this host needs.
    #[error(
        "failed to give Docker the runtime wrapper that this host needs: {reason} (hint: {hint})"
    )]
    Shim {
        /// Why not.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// The configuration cannot be read or written.
    #[error("failed to configure Docker in {}", path.display())]
    Configure {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A program failed.
    #[error(transparent)]
    Tool(#[from] ToolError),
}

/// Whether packages may be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Install {
    /// On Debian and Ubuntu, as root.
    Allowed,
    /// Only say what is missing.
    Forbidden,
}

/// What `ensure` may do.
#[derive(Debug, Clone)]
pub struct EnsureOptions {
    /// Whether Docker may be installed and started.
    pub install: Install,
    /// The content cache, where the wrapper and the daemon's log go.
    pub cache: PathBuf,
    /// The program to copy as the wrapper. It must call [`crate::shim::run_if_called_by_name`], or
    /// be `partywall-oci-shim` itself.
    pub shim_program: PathBuf,
}

impl EnsureOptions {
    /// Install what is missing; the wrapper is the running program, or the small one beside it.
    pub fn new(cache: impl Into<PathBuf>) -> std::io::Result<Self> {
        let program = std::env::current_exe()?;
        let small = program.with_file_name(crate::shim::SHIM_NAME);
        let shim_program = if small.is_file() { small } else { program };
        Ok(Self { install: Install::Allowed, cache: cache.into(), shim_program })
    }
}

/// What was found and done.
#[derive(Debug, Clone)]
pub struct EnsureReport {
    /// The daemon's version.
    pub version: String,
    /// Whether the package was installed by this call.
    pub installed: bool,
    /// Whether the daemon was started by this call.
    pub started: bool,
    /// The runtime wrapper.
    pub shim: ShimState,
    /// What was done to the machine, in full sentences. Empty where nothing was.
    pub notes: Vec<String>,
}

/// The version of the daemon that answers now.
pub fn server_version() -> Result<String, ToolError> {
    let tool = Tool::new("docker").args(["version", "--format", "{{.Server.Version}}"]);
    Ok(tool.timeout(ANSWER).run()?.stdout_text().trim().to_owned())
}

/// Makes sure that a Docker daemon answers and can run privileged containers. What it starts
/// outlives this process.
pub fn ensure(options: &EnsureOptions) -> Result<EnsureReport, DockerError> {
    let mut notes = Vec::new();
    if let Ok(version) = server_version() {
        let shim = shim_of_running_daemon(options, &mut notes)?;
        return Ok(EnsureReport { version, installed: false, started: false, shim, notes });
    }
    let missing = refuse_unless_possible(options)?;
    // The configuration comes first, as an installation may start the daemon by itself.
    let shim = write_shim_if_needed(options, &mut notes)?;
    if missing {
        install_packages(&["docker.io", "iptables", "ca-certificates"])?;
        notes.push("Installed the package docker.io.".to_owned());
    }
    let version = start(options, &mut notes)?;
    if shim != ShimState::NotNeeded && default_runtime()? != RUNTIME {
        reload()?;
    }
    Ok(EnsureReport { version, installed: missing, started: true, shim, notes })
}

/// Whether Docker must be installed, or why nothing can be done from here.
fn refuse_unless_possible(options: &EnsureOptions) -> Result<bool, DockerError> {
    let missing = find_program("dockerd").is_none() || find_program("docker").is_none();
    if let Some(remote) = std::env::var_os("DOCKER_HOST") {
        let reason = format!("nothing answers at DOCKER_HOST={}", remote.to_string_lossy());
        return Err(absent(reason, "start that daemon, or unset DOCKER_HOST"));
    }
    let state = if missing { "Docker is not installed" } else { "the daemon does not answer" };
    if options.install == Install::Forbidden || !host::is_root() {
        let hint = if missing {
            "install Docker Engine, or run this as root on Debian or Ubuntu"
        } else {
            "start it, for example `systemctl start docker`, and check that this user may use it"
        };
        return Err(absent(state.to_owned(), hint));
    }
    if missing && !host::has_apt() {
        return Err(absent(
            state.to_owned(),
            "install Docker Engine; it is done for you on Debian and Ubuntu",
        ));
    }
    Ok(missing)
}

fn absent(reason: String, hint: &str) -> DockerError {
    DockerError::Absent { reason, hint: hint.to_owned() }
}

/// Installs Debian packages; the index is refreshed only where the first attempt fails.
pub(crate) fn install_packages(packages: &[&str]) -> Result<(), ToolError> {
    let apt = || Tool::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").timeout(INSTALL);
    let install = || apt().args(["install", "--yes", "--quiet"]).args(packages.iter().copied());
    if install().run().is_ok() {
        return Ok(());
    }
    apt().args(["update", "--quiet"]).run()?;
    install().run().map(drop)
}

/// The wrapper is for a daemon on this host; what another host grants is not known here.
fn needs_shim() -> bool {
    let local = std::env::var("DOCKER_HOST").map_or(true, |host| host.starts_with("unix://"));
    let lacks = host::host_capabilities().is_some_and(|set| !set.has("CAP_SYS_RESOURCE"));
    local && lacks
}

fn write_shim_if_needed(
    options: &EnsureOptions,
    notes: &mut Vec<String>,
) -> Result<ShimState, DockerError> {
    if !needs_shim() {
        return Ok(ShimState::NotNeeded);
    }
    let config = Path::new(DAEMON_CONFIG);
    let state = install_shim(config, &options.shim_program, &options.cache)?;
    if state == ShimState::Written {
        notes.push(format!(
            "This host cannot grant CAP_SYS_RESOURCE: {DAEMON_CONFIG} now names a runtime wrapper \
             that leaves out what cannot be granted."
        ));
    }
    Ok(state)
}

fn shim_of_running_daemon(
    options: &EnsureOptions,
    notes: &mut Vec<String>,
) -> Result<ShimState, DockerError> {
    if !needs_shim() {
        return Ok(ShimState::NotNeeded);
    }
    if !host::is_root() {
        let reason = "this user may not change its configuration".to_owned();
        let hint = "run this once as root".to_owned();
        return if default_runtime()? == RUNTIME {
            Ok(ShimState::InPlace)
        } else {
            Err(DockerError::Shim { reason, hint })
        };
    }
    let state = write_shim_if_needed(options, notes)?;
    if state == ShimState::InPlace && default_runtime()? == RUNTIME {
        return Ok(state);
    }
    reload()?;
    notes.push("Docker read its configuration again; running containers go on.".to_owned());
    Ok(ShimState::Written)
}

fn default_runtime() -> Result<String, ToolError> {
    let tool = Tool::new("docker").args(["info", "--format", "{{.DefaultRuntime}}"]);
    Ok(tool.timeout(ANSWER).run()?.stdout_text().trim().to_owned())
}

/// Runtimes are among the settings that the daemon reads again on a hang-up signal.
fn reload() -> Result<(), DockerError> {
    let shim = |reason: String| DockerError::Shim {
        reason,
        hint: format!("restart the daemon, which then reads {DAEMON_CONFIG}"),
    };
    let pid = ["/run/docker.pid", "/var/run/docker.pid"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .ok_or_else(|| shim("its process is not known".to_owned()))?;
    Tool::new("kill").args(["-HUP", pid.trim()]).run()?;
    let reloaded = poll(ANSWER, || match default_runtime() {
        Ok(runtime) if runtime == RUNTIME => Ok(()),
        Ok(runtime) => Err(format!("its default runtime is still `{runtime}`")),
        Err(error) => Err(error.to_string()),
    });
    reloaded.map_err(shim)
}

fn start(options: &EnsureOptions, notes: &mut Vec<String>) -> Result<String, DockerError> {
    let log = options.cache.join("logs/dockerd.log");
    if host::has_systemd() {
        Tool::new("systemctl").args(["start", "docker"]).timeout(START).run()?;
        notes.push("Started Docker (systemctl start docker).".to_owned());
    } else {
        // A session of its own, so that the daemon outlives this process and its terminal.
        Tool::new("setsid").args(["--fork", "dockerd"]).dir("/").log_to(&log).run()?;
        notes.push(format!("Started dockerd; its log is {}.", log.display()));
    }
    let answer = poll(START, || server_version().map_err(|error| error.to_string()));
    answer.map_err(|last| DockerError::Silent { last, log })
}

/// Asks until the answer is good or the time is over; then the last answer is the error.
#[expect(
    clippy::disallowed_methods,
    reason = "the bounded poll of this crate, which has no async runtime"
)]
fn poll<T>(limit: Duration, mut ask: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let deadline = Instant::now() + limit;
    loop {
        match ask() {
            Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(200)),
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_ends_with_the_last_status() {
        let mut asked = 0;
        let last = poll::<()>(Duration::from_millis(300), || {
            asked += 1;
            Err(format!("attempt {asked}"))
        });
        assert_eq!(last.unwrap_err(), format!("attempt {asked}"));
        assert!(asked > 1);
        assert_eq!(poll(Duration::ZERO, || Ok(7)), Ok(7));
    }

    #[test]
    fn messages_say_what_to_do() {
        let error = absent("Docker is not installed".to_owned(), "install it");
        let expected = "failed to find a Docker daemon: Docker is not installed (hint: install it)";
        assert_eq!(error.to_string(), expected);
        let error = DockerError::Silent { last: "no".to_owned(), log: "/l".into() };
        let expected = "failed to start Docker: no answer within 90 s (last: no; log: /l)";
        assert_eq!(error.to_string(), expected);
    }
}
