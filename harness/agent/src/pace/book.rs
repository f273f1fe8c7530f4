//! Samples on their way: collected as probes end, given away in chunks.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::protocol::Sample;

/// Samples that were not given away yet.
#[derive(Debug, Default)]
pub struct Samples {
    waiting: Mutex<Vec<Sample>>,
}

impl Samples {
    /// A probe has ended.
    pub fn add(&self, sample: Sample) {
        self.waiting().push(sample);
    }

    /// Everything that waits.
    pub fn take(&self) -> Vec<Sample> {
        std::mem::take(&mut *self.waiting())
    }

    /// Everything that was ever added, where nothing was taken.
    pub fn all(&self) -> Vec<Sample> {
        self.waiting().clone()
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Sample>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
