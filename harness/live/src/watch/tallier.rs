//! What reached one server, asked again and again: a server that dies takes only the last half
//! second with it.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use partywall_agent::protocol::{Ask, Reply};
use partywall_core::inventory::PodName;
use tokio::sync::watch;

use super::clock::now_us;
use super::pacer::stopped;
use super::record::Record;
use crate::agent_stream::{AgentPod, AgentStream};

const EVERY: Duration = Duration::from_millis(500);
const LIMIT: Duration = Duration::from_secs(5);

/// One server.
pub(super) struct Tallier {
    pub client: Client,
    pub record: Arc<Record>,
    pub server: PodName,
}

impl Tallier {
    /// Asks until it is told to stop, and then once more.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut stream = None;
        loop {
            let is_last = *stop.borrow();
            // A stream that is kept is one whose last answer came.
            stream = self.ask(stream).await;
            if is_last {
                return;
            }
            tokio::select! {
                () = stopped(&mut stop) => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// The stream, if it can be used again.
    async fn ask(&self, stream: Option<AgentStream>) -> Option<AgentStream> {
        let pod = AgentPod::new(self.server.namespace.clone(), self.server.name.clone());
        let has_last = stream.is_some();
        let mut stream = match stream {
            Some(stream) => stream,
            None => AgentStream::open(&self.client, &pod, LIMIT).await.ok()?,
        };
        let prefixes = self.record.prefixes_to(&self.server);
        let asked_us = now_us();
        let asked = Ask::Tally { prefixes, has_last };
        match stream.ask(vec![asked], LIMIT).await.pop()? {
            Ok(Reply::Tally(told)) => {
                self.record.tallied(&self.server, asked_us, told);
                Some(stream)
            }
            _ => None,
        }
    }
}
