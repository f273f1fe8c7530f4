//! The one bounded poll. A wait that runs out names the condition that was not met and the
//! last thing that was seen of it.

use std::time::{Duration, Instant};

/// What one look found.
#[derive(Debug)]
pub enum Poll<T, E> {
    /// The condition holds.
    Ready(T),
    /// It does not hold yet.
    NotYet(NotYet),
    /// It will never hold, or looking itself went wrong for good.
    Failed(E),
}

/// Why a condition does not hold yet, in one line for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotYet {
    /// The last status.
    pub status: String,
}

impl<T, E> Poll<T, E> {
    /// Not yet, for this reason.
    pub fn not_yet(status: impl Into<String>) -> Self {
        Self::NotYet(NotYet { status: status.into() })
    }
}

/// How long to wait and how often to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Give up after this long.
    pub limit: Duration,
    /// Look this often.
    pub every: Duration,
}

impl Wait {
    /// Wait at most this long, looking every 100 milliseconds.
    pub const fn at_most(limit: Duration) -> Self {
        Self { limit, every: Duration::from_millis(100) }
    }

    /// Wait at most this many seconds, looking every 100 milliseconds.
    pub const fn seconds(limit: u64) -> Self {
        Self::at_most(Duration::from_secs(limit))
    }

    /// The same wait with another interval.
    pub const fn every(self, every: Duration) -> Self {
        Self { every, ..self }
    }
}

/// A wait that did not end well.
#[derive(Debug, thiserror::Error)]
pub enum WaitError<E> {
    /// The condition was not met in time.
    #[error("{condition} was not met within {:.1} s; last seen: {last}", waited.as_secs_f64())]
    TimedOut {
        /// What was waited for.
        condition: String,
        /// How long.
        waited: Duration,
        /// The last status.
        last: NotYet,
    },
    /// The poll itself failed for good.
    #[error(transparent)]
    Failed(E),
}

impl std::fmt::Display for NotYet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.status)
    }
}

/// Look until the condition holds. A single look never outlasts the whole wait.
pub async fn until<T, E, F, Fut>(
    condition: impl Into<String>,
    wait: Wait,
    mut look: F,
) -> Result<T, WaitError<E>>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Poll<T, E>>,
{
    let started = Instant::now();
    let mut last = NotYet { status: "nothing yet".to_string() };
    loop {
        let left = wait.limit.saturating_sub(started.elapsed());
        match tokio::time::timeout(left, look()).await {
            Ok(Poll::Ready(value)) => return Ok(value),
            Ok(Poll::Failed(error)) => return Err(WaitError::Failed(error)),
            Ok(Poll::NotYet(status)) => last = status,
            Err(_) => last.status.push_str(" (and no answer to the last look)"),
        }
        if started.elapsed() + wait.every >= wait.limit {
            let waited = started.elapsed();
            return Err(WaitError::TimedOut { condition: condition.into(), waited, last });
        }
        tokio::time::sleep(wait.every).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_that_runs_out_names_condition_and_last_status() {
        let wait = Wait::at_most(Duration::from_millis(20)).every(Duration::from_millis(5));
        let mut looks = 0;
        let result: Result<(), WaitError<std::convert::Infallible>> =
            until("rollout of a/b", wait, || {
                looks += 1;
                std::future::ready(Poll::not_yet("0 of 1 replicas"))
            })
            .await;
        let message = result.unwrap_err().to_string();
        assert!(message.contains("rollout of a/b"), "{message}");
        assert!(message.ends_with("last seen: 0 of 1 replicas"), "{message}");
        assert!(looks > 1);
    }

    #[tokio::test]
    async fn a_look_that_hangs_does_not_outlast_the_wait() {
        let wait = Wait::at_most(Duration::from_millis(20));
        let result: Result<(), WaitError<std::convert::Infallible>> =
            until("an answer", wait, std::future::pending).await;
        assert!(matches!(result, Err(WaitError::TimedOut { .. })));
    }
}
