//! The `kind` backend behind the seam: the one backend that may create and destroy clusters.

use std::path::Path;

use partywall_core::cluster::Provision;

use super::{DownError, Removed, Up, UpError, down, up};
use crate::progress::Progress;
use crate::spec::UpSpec;

/// Creates and removes sessions of this machine.
pub struct Kind<'a> {
    /// Where sessions are kept.
    pub state: &'a Path,
    /// Who wants to know how far it is.
    pub progress: &'a dyn Progress,
}

/// What can go wrong with either verb.
#[derive(Debug, thiserror::Error)]
pub enum KindError {
    /// With `up`.
    #[error(transparent)]
    Up(#[from] UpError),
    /// With `down`.
    #[error(transparent)]
    Down(#[from] DownError),
}

impl Provision for Kind<'_> {
    type Spec = UpSpec;
    type Session = Up;
    type Removed = Removed;
    type Error = KindError;

    async fn up(&self, spec: &UpSpec) -> Result<Up, KindError> {
        Ok(up(spec, self.progress).await?)
    }

    async fn down(&self, name: &str) -> Result<Removed, KindError> {
        Ok(down(self.state, name).await?)
    }
}
