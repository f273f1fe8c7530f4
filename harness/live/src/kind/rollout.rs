//! Waits for our own pods. An image that is not there ends the wait at once.

use std::cell::RefCell;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use kube::Client;

use super::error::UpError;
use crate::pods::{Stuck, stuck};
use crate::wait::{Poll, Wait, WaitError, until};

/// A pod of an earlier attempt, with an image that is named no more, goes away within this.
const PATIENCE: Duration = Duration::from_secs(4);

/// Wait for a condition of pods in a namespace.
pub(crate) async fn rolled_out<F, Fut>(
    client: &Client,
    namespace: &str,
    condition: String,
    wait: Wait,
    mut look: F,
) -> Result<(), UpError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Poll<(), Infallible>>,
{
    let missing: RefCell<Option<(String, Instant)>> = RefCell::new(None);
    let waited = until(condition, wait, || {
        let looking = look();
        let missing = &missing;
        async move {
            let status = match looking.await {
                Poll::Ready(()) => return Poll::Ready(()),
                Poll::NotYet(status) => status,
                Poll::Failed(never) => match never {},
            };
            let stuck = stuck(client).await.unwrap_or_default();
            match stuck.into_iter().find(|one| one.namespace == namespace) {
                Some(one) if one.lacks_image() && lasts(missing, &one) => {
                    Poll::Failed(UpError::ImageMissing { image: one.image })
                }
                Some(one) => Poll::not_yet(format!("{status} ({}: {})", one.reason, one.message)),
                None => Poll::NotYet(status),
            }
        }
    });
    waited.await.map_err(|error| match error {
        WaitError::Failed(error) => error,
        WaitError::TimedOut { condition, waited, last } => {
            UpError::NotReady(WaitError::TimedOut { condition, waited, last })
        }
    })
}

/// Whether the same pod has lacked its image for longer than a stale one would be there.
fn lasts(missing: &RefCell<Option<(String, Instant)>>, one: &Stuck) -> bool {
    let mut missing = missing.borrow_mut();
    match &*missing {
        Some((pod, since)) if *pod == one.pod => since.elapsed() > PATIENCE,
        _ => {
            *missing = Some((one.pod.clone(), Instant::now()));
            false
        }
    }
}
