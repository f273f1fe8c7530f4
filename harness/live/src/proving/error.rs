//! Why no evidence could be gathered.

use crate::apply::ApplyError;
use crate::random::RandomError;
use crate::wait::WaitError;

/// Evidence that could not be gathered.
#[derive(Debug, thiserror::Error)]
pub enum ProvingError {
    /// The API server refused an object of ours.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The API server refused a policy that the generator calls valid.
    #[error("{source}\n{policy}")]
    Policy {
        /// The policy.
        policy: String,
        /// Why.
        #[source]
        source: ApplyError,
    },
    /// The API server does not answer, or refused something else.
    #[error("failed to work on the proving ground: {0}")]
    Cluster(#[source] Box<kube::Error>),
    /// A pod does not run, a namespace does not go, or the sentinel does not flip.
    #[error(transparent)]
    Wait(#[from] WaitError<std::convert::Infallible>),
    /// Without any policy, not everybody reaches everybody.
    #[error("the proving ground has no positive control: without any policy, {0}")]
    NoControl(String),
    /// No nonces.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl From<kube::Error> for ProvingError {
    fn from(error: kube::Error) -> Self {
        Self::Cluster(Box::new(error))
    }
}
