//! One exec stream for each agent, opened when it is first needed and kept for the next
//! question: a run asks every agent several times.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures::StreamExt;
use kube::Client;
use partywall_agent::protocol::{Ask, Reply};
use partywall_core::inventory::PodName;
use tokio::sync::{Mutex, Semaphore};

use crate::agent_stream::{AgentPod, AgentStream};

/// Streams that are opened at the same time; each costs the API server and the node a process.
const OPENING: usize = 64;
/// Pods that are asked at the same time. Most of them wait for a deny to run out, which costs
/// nobody anything.
const ASKED: usize = 1024;
/// How long a stream may take to open.
const OPEN_LIMIT: Duration = Duration::from_secs(15);

/// Open streams by pod.
pub(crate) struct Streams {
    client: Client,
    idle: Mutex<HashMap<PodName, AgentStream>>,
    opening: Semaphore,
}

/// The answers of one pod in the order of its questions; an answer that was lost says why.
pub(crate) type Answers = Vec<Result<Reply, String>>;

impl Streams {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, idle: Mutex::new(HashMap::new()), opening: Semaphore::new(OPENING) }
    }

    /// Ask many pods at once.
    pub(crate) async fn ask_all(
        &self,
        questions: BTreeMap<PodName, Vec<Ask>>,
        limit: Duration,
    ) -> BTreeMap<PodName, Answers> {
        let asked = questions.into_iter().map(|(pod, asks)| async move {
            let answers = self.ask(&pod, asks, limit).await;
            (pod, answers)
        });
        futures::stream::iter(asked).buffer_unordered(ASKED).collect().await
    }

    /// Ask one pod one question.
    pub(crate) async fn ask_one(
        &self,
        pod: &PodName,
        ask: Ask,
        limit: Duration,
    ) -> Result<Reply, String> {
        let mut answers = self.ask(pod, vec![ask], limit).await;
        answers.pop().unwrap_or_else(|| Err("no answer".to_string()))
    }

    async fn ask(&self, pod: &PodName, asks: Vec<Ask>, limit: Duration) -> Answers {
        let count = asks.len();
        let mut stream = match self.take(pod).await {
            Ok(stream) => stream,
            Err(error) => return vec![Err(error); count],
        };
        let answers = stream.ask(asks, limit).await;
        let whole = answers.iter().all(Result::is_ok);
        if whole {
            self.idle.lock().await.insert(pod.clone(), stream);
        }
        answers
            .into_iter()
            .map(|answer| match answer {
                Ok(Reply::Failed { detail }) => Err(detail),
                Ok(reply) => Ok(reply),
                Err(lost) => Err(lost.to_string()),
            })
            .collect()
    }

    async fn take(&self, pod: &PodName) -> Result<AgentStream, String> {
        if let Some(stream) = self.idle.lock().await.remove(pod) {
            return Ok(stream);
        }
        // Nobody closes it; a permit that cannot be had would only mean that more open at once.
        let _turn = self.opening.acquire().await.ok();
        let agent = AgentPod::new(pod.namespace.clone(), pod.name.clone());
        let opened = AgentStream::open(&self.client, &agent, OPEN_LIMIT).await;
        opened.map_err(|error| error.to_string())
    }
}
