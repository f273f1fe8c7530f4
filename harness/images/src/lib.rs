//! The images bundle: component images built from language modules, or pulled as published.
//!
//! ```text
//! kind-config/images.lock ─► Bundle::open ─► build ─► programs and images, cached by content
//!                                   └─► list, verify, resolve, pin
//! ```
//!
//! Both ways to an image end in the same names: [`Bundle::resolve`] says what a manifest must
//! write for a component, whichever [`Mode`] it came by. What is built is kept in the content
//! cache under a key made of everything that went into it, so that a second build does nothing
//! and an interrupted one goes on where it stopped.
//!
//! This crate knows Docker, Go, Cargo and debootstrap, and nothing of Kubernetes: the long builds
//! can start before the cluster crates are compiled. It prints nothing; see [`Progress`].

mod build;
mod bundle;
mod content;
pub mod docker;
mod error;
mod lock;
mod lock_edit;
mod plan;
mod progress;
mod registry;
pub mod shim;
mod store;
mod workspace;

pub use build::BuildReport;
pub use bundle::{Bundle, ComponentState, ComponentStatus, VerifyFinding};
pub use error::{BuildError, ComponentFailure, LockError, RegistryError, ResolveError};
pub use lock::{
    CargoRecipe, Component, DebootstrapRecipe, GoRecipe, ImageRecipe, Lock, NodeRecipe, Published,
    Recipe,
};
pub use lock_edit::set_digest;
pub use plan::{BuildRequest, Plan, Source};
pub use progress::{Progress, ProgressEvent, Silent};
pub use registry::{Mode, NodeFacts, Pinned, registry_answers};
pub use workspace::Workspace;
