//! Docker: making sure that a daemon answers, and the few image operations that a bundle needs.

mod daemon;
mod ensure;
pub(crate) mod host;
pub(crate) mod image;

pub use daemon::{DAEMON_CONFIG, ShimState};
pub(crate) use ensure::install_packages;
pub use ensure::{DockerError, EnsureOptions, EnsureReport, Install, ensure, server_version};
