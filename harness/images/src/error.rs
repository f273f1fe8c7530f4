//! What can go wrong, one enum per concern.

use std::path::PathBuf;

use partywall_tool::ToolError;

use crate::docker::DockerError;

/// A lock file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The file cannot be read or written.
    #[error("failed to access {}", path.display())]
    Access {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Not YAML of this shape.
    #[error("failed to read images.lock: {message}")]
    Syntax {
        /// What and where.
        message: String,
    },
    /// Another kind of document.
    #[error(
        "failed to read images.lock: expected `partywall.dev/v1alpha1 ImagesLock`, found `{found}`"
    )]
    Header {
        /// What stands there.
        found: String,
    },
    /// A name is used twice.
    #[error("failed to read images.lock: `{name}` stands there twice")]
    Twice {
        /// The component or image.
        name: String,
    },
    /// No recipe, or more than one.
    #[error(
        "failed to read images.lock: `{component}` needs exactly one of go, debootstrap, cargo, node"
    )]
    Recipe {
        /// The component.
        component: String,
    },
    /// It is made from something that is not there.
    #[error("failed to read images.lock: `{component}` needs `{needed}`, which is not there")]
    Unknown {
        /// The component.
        component: String,
        /// What it names.
        needed: String,
    },
    /// Not a full reference with host and tag.
    #[error(
        "failed to read images.lock: `{component}`: `{reference}` must be HOST/NAME:TAG, without a digest"
    )]
    Reference {
        /// The component.
        component: String,
        /// What stands there.
        reference: String,
    },
    /// Not a digest.
    #[error("failed to read images.lock: `{component}`: `{digest}` is no sha256 digest")]
    Digest {
        /// The component.
        component: String,
        /// What stands there.
        digest: String,
    },
    /// A digest has no line to go to.
    #[error(
        "failed to pin `{reference}`: images.lock has no line `published: {{reference: \"{reference}\"}}`"
    )]
    NoLine {
        /// The published reference.
        reference: String,
    },
}

/// One component that could not be built.
#[derive(Debug)]
pub struct ComponentFailure {
    /// The component.
    pub component: String,
    /// What went wrong, with the last lines of the log.
    pub message: String,
    /// The whole log, if there is one.
    pub log: Option<PathBuf>,
}

/// Why a build did not end with everything built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No component has this name.
    #[error("failed to plan the build: images.lock has no component `{name}` (it has: {known})")]
    UnknownComponent {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The cache or a source cannot be read or written.
    #[error("failed to {action} {}", path.display())]
    Files {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A program that builds need is missing or does not work.
    #[error("failed to ask `{program}` for its version (hint: {hint})")]
    Toolchain {
        /// The program.
        program: &'static str,
        /// How to get it.
        hint: &'static str,
        /// What it said.
        #[source]
        source: ToolError,
    },
    /// Docker did not answer.
    #[error(transparent)]
    Docker(DockerError),
    /// Some components failed; all others were built.
    #[error("{}", describe_failures(failures))]
    Components {
        /// Which, and why.
        failures: Vec<ComponentFailure>,
    },
}

impl BuildError {
    pub(crate) fn files(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Files { action, path, source }
    }
}

fn describe_failures(failures: &[ComponentFailure]) -> String {
    let one = |failure: &ComponentFailure| {
        let log = failure.log.as_ref().map(|log| format!("\nlog: {}", log.display()));
        format!("{}: {}{}", failure.component, failure.message, log.unwrap_or_default())
    };
    let all: Vec<String> = failures.iter().map(one).collect();
    format!("failed to build {} of the components\n{}", failures.len(), all.join("\n"))
}

/// Why a name does not lead to an image or program.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// No component has an image or program of this name.
    #[error("images.lock has no image or program `{name}`")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// It is not there yet.
    #[error("`{name}` is not built (hint: partywall images build)")]
    NotBuilt {
        /// What was asked for.
        name: String,
    },
    /// Its state cannot be found out.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Docker did not answer.
    #[error(transparent)]
    Docker(#[from] DockerError),
}

/// Why a registry could not serve.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// An image could not be pulled or pushed.
    #[error("failed to {verb} {reference}")]
    Transfer {
        /// `pull` or `push`.
        verb: &'static str,
        /// The image.
        reference: String,
        /// What Docker said.
        #[source]
        source: DockerError,
    },
    /// The image is there and has no digest.
    #[error("failed to pin {reference}: Docker knows no digest of it")]
    NoDigest {
        /// The image.
        reference: String,
    },
    /// The lock file cannot be changed.
    #[error(transparent)]
    Lock(#[from] LockError),
}
