//! The paces of one stream, and their end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::book::Samples;
use super::plan::check;
use super::run::run;
use crate::protocol::{Message, PaceRequest, Reply};
use crate::resolve::Resolver;

/// Paces that run.
#[derive(Debug, Default)]
pub struct Paces {
    running: Mutex<Vec<watch::Sender<bool>>>,
}

impl Paces {
    /// What tells a new pace that it must end.
    pub fn begin(&self) -> watch::Receiver<bool> {
        let (sender, receiver) = watch::channel(false);
        self.running().push(sender);
        receiver
    }

    /// Tells every pace to end, and how many that were.
    pub fn end(&self) -> u64 {
        let ended = std::mem::take(&mut *self.running());
        // One that ended by itself has no ear left.
        ended.into_iter().filter(|pace| pace.send(true).is_ok()).count() as u64
    }

    fn running(&self) -> MutexGuard<'_, Vec<watch::Sender<bool>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers [`crate::protocol::Ask::Pace`], and tells its samples on the way.
pub async fn answer(
    resolver: Arc<Resolver>,
    id: u64,
    request: PaceRequest,
    ending: watch::Receiver<bool>,
    messages: &UnboundedSender<Message>,
) -> Reply {
    if let Err(error) = check(&request) {
        return Reply::Failed { detail: error.to_string() };
    }
    let tell = |samples: &Samples| {
        let samples = samples.take();
        if !samples.is_empty() {
            // Where nobody listens any more, nobody misses it.
            drop(messages.send(Message::Samples { id, samples }));
        }
    };
    let probes = run(resolver, request, ending, Arc::default(), tell).await;
    Reply::Paced { probes }
}
