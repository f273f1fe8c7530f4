//! Partywall on a real API server: the `kind` backend's `up` and `down`, the session that later
//! commands attach to, pushes through the local Git server, and streams to the agents.
//!
//! ```text
//! up: doctor ─► git server ─► cluster ─┬─► agent image, calico ─► canary ─┬─► session
//!                     └─► push ────────┴─► flux ─► keys ─► reconcile ─────┘
//! ```
//!
//! It judges nothing: it makes, pushes, asks and reports what was seen. Everything it makes
//! carries the session's label, and nothing without it is ever removed.

mod agent_stream;
mod apply;
mod audit;
mod canary;
mod clear;
mod client;
mod diagnose;
mod enforcement;
mod exec;
mod kind;
mod manifests;
mod observe;
mod pods;
mod programs;
mod progress;
pub mod proving;
mod push;
mod random;
mod reconcile;
mod session;
mod spec;
pub mod wait;
pub mod watch;

pub use agent_stream::{AgentPod, AgentStream, Answer, Lost, StreamError};
pub use apply::ApplyError;
pub use audit::audited;
pub use canary::{CanaryError, CanaryReport, canary};
pub use clear::{ClearError, clear};
pub use client::{ClientError, client};
pub use diagnose::{DiagnoseError, diagnose};
pub use enforcement::{EnforcementError, enforcement_off, enforcement_on};
pub use kind::{
    DownError, ErrorKind, Finding, Kind, KindError, Removed, Up, UpError, doctor, down, up,
};
pub use manifests::ManifestError;
pub use observe::{FoundInFolders, LiveCluster, known, secrets_in_folders};
pub use progress::{Phase, PhaseTime, Progress, Quiet};
pub use push::{
    KeyError, PushError, PushOptions, Pushed, PushedRepository, SecretExpectation,
    apply_key_secrets, hash_leaves, layout_digest, push_layout,
};
pub use random::{RandomError, nonce};
pub use reconcile::{ObjectStatus, Readiness, ReconcileError, ReconcileReport, reconcile};
pub use session::{GitServer, SESSION_LABEL, Session, SessionError, Stage, World};
pub use spec::{Bundle, IpFamily, LayoutSpec, RepositorySpec, TenantSecrets, UpSpec};
