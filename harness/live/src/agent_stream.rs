//! Questions to an agent in a pod, over one exec stream through the API server and never over
//! the pod network that is under test.
//!
//! Every question comes back with an answer or with the reason why there is none. A lost answer
//! is an error of its own, so that nobody can take it for a denial.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{AttachParams, AttachedProcess};
use kube::{Api, Client};
use partywall_agent::protocol::{Ask, Command, Message, PROTOCOL_VERSION, Reply};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::io::{ReadHalf, SimplexStream, WriteHalf};

/// Where the agent's binary is in its image.
const AGENT: &str = "/partywall-agent";
/// Many replies arrive at once; a small pipe would make the stream wait for its reader.
const PIPE_BYTES: usize = 256 * 1024;

/// A container that runs the agent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentPod {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub name: String,
    /// Container, where the pod has several.
    pub container: Option<String>,
}

impl AgentPod {
    /// The agent in the only (or default) container of a pod.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into(), container: None }
    }
}

impl std::fmt::Display for AgentPod {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// A stream that could not be used at all.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The API server did not open the stream.
    #[error("failed to open an exec stream to the agent in {pod}: {source}")]
    Open {
        /// The pod.
        pod: AgentPod,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// The agent did not introduce itself in time.
    #[error("the agent in {pod} did not answer within {:.1} s: {detail}", waited.as_secs_f64())]
    Silent {
        /// The pod.
        pod: AgentPod,
        /// How long was waited.
        waited: Duration,
        /// What it wrote instead, if anything.
        detail: String,
    },
    /// The agent speaks another protocol.
    #[error(
        "the agent in {pod} speaks protocol {theirs}, this harness {PROTOCOL_VERSION} \
         (hint: `partywall down` and `up` again, so that the agent image is built anew)"
    )]
    Protocol {
        /// The pod.
        pod: AgentPod,
        /// Its version.
        theirs: u32,
    },
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The deadline passed first.
    #[error("no answer from {pod} before the deadline")]
    Deadline {
        /// The pod.
        pod: AgentPod,
    },
    /// The stream ended first.
    #[error("the stream to {pod} ended before the answer: {detail}")]
    Ended {
        /// The pod.
        pod: AgentPod,
        /// What is known about the end.
        detail: String,
    },
}

/// One question's end: an answer, or why there is none.
pub type Answer = Result<Reply, Lost>;

/// An open stream to one agent.
pub struct AgentStream {
    pod: AgentPod,
    says_it_is: String,
    next_id: u64,
    sent: u64,
    /// `None` once a question was cut in the middle: nothing more can be asked then.
    stdin: Option<WriteHalf<SimplexStream>>,
    output: Output,
}

/// What comes back.
struct Output {
    stdout: Lines<BufReader<ReadHalf<SimplexStream>>>,
    stderr: Option<ReadHalf<SimplexStream>>,
    process: AttachedProcess,
}

impl std::fmt::Debug for AgentStream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("AgentStream").field("pod", &self.pod).finish_non_exhaustive()
    }
}

impl AgentStream {
    /// Open a stream and wait until the agent introduces itself.
    pub async fn open(
        client: &Client,
        pod: &AgentPod,
        limit: Duration,
    ) -> Result<Self, StreamError> {
        let started = Instant::now();
        let silent = |detail: String| StreamError::Silent {
            pod: pod.clone(),
            waited: started.elapsed(),
            detail,
        };
        let opened = tokio::time::timeout(limit, attach(client, pod)).await;
        let process = opened.map_err(|_| silent("the exec request hangs".to_string()))??;
        let mut stream = Self::of(pod.clone(), process).map_err(&silent)?;
        let left = limit.saturating_sub(started.elapsed());
        match tokio::time::timeout(left, stream.output.read()).await {
            Ok(Ok(Message::Hello { protocol: PROTOCOL_VERSION, pod })) => stream.says_it_is = pod,
            Ok(Ok(Message::Hello { protocol, .. })) => {
                return Err(StreamError::Protocol { pod: pod.clone(), theirs: protocol });
            }
            Ok(Ok(other)) => return Err(silent(format!("its first line was {other:?}"))),
            Ok(Err(detail)) => return Err(silent(detail)),
            Err(_) => return Err(silent("it wrote nothing".to_string())),
        }
        Ok(stream)
    }

    /// The pod that was asked for.
    pub const fn pod(&self) -> &AgentPod {
        &self.pod
    }

    /// The pod that the agent says it is, by its own environment; empty where it does not know.
    pub fn says_it_is(&self) -> &str {
        &self.says_it_is
    }

    /// Ask all questions at once; the answers come back in the order of the questions.
    /// The stream can be used again afterwards, also when answers were lost to the deadline.
    pub async fn ask(&mut self, asks: Vec<Ask>, limit: Duration) -> Vec<Answer> {
        let first = self.next_id;
        let count = asks.len() as u64;
        self.next_id += count;
        self.sent += count;
        let commands = asks.into_iter().zip(first..).map(|(ask, id)| Command { id, ask }).collect();
        let (mut replies, end) = self.exchange(commands, limit).await;
        (first..first + count).map(|id| replies.remove(&id).ok_or_else(|| end.clone())).collect()
    }

    /// Put one question without waiting for its answer, and tell its number.
    pub(crate) async fn say(&mut self, ask: Ask) -> Result<u64, Lost> {
        let id = self.next_id;
        self.next_id += 1;
        self.sent += 1;
        let written = write_all(self.stdin.as_mut(), &[Command { id, ask }]).await;
        written.map(|()| id).map_err(|detail| Lost::Ended { pod: self.pod.clone(), detail })
    }

    /// The next message. Nothing is lost where this is given up.
    pub(crate) async fn hear(&mut self) -> Result<Message, Lost> {
        let heard = self.output.read().await;
        heard.map_err(|detail| Lost::Ended { pod: self.pod.clone(), detail })
    }

    /// Close the question side and make sure that the agent read as many questions as were sent.
    pub async fn finish(mut self, limit: Duration) -> Result<(), Lost> {
        if let Some(mut stdin) = self.stdin.take() {
            // A stream that is already closed says so below, with more detail.
            let _closed = stdin.shutdown().await;
        }
        let sent = self.sent;
        let pod = self.pod.clone();
        let read = async {
            loop {
                match self.output.read().await {
                    Ok(Message::Done { commands }) => return Ok(commands),
                    Ok(_late_reply) => {}
                    Err(detail) => return Err(detail),
                }
            }
        };
        let read = tokio::time::timeout(limit, read).await;
        match read {
            Ok(Ok(commands)) if commands == sent => Ok(()),
            Ok(Ok(commands)) => {
                let detail = format!("the agent read {commands} of {sent} questions");
                Err(Lost::Ended { pod, detail })
            }
            Ok(Err(detail)) => Err(Lost::Ended { pod, detail }),
            Err(_) => Err(Lost::Deadline { pod }),
        }
    }
}

impl AgentStream {
    fn of(pod: AgentPod, mut process: AttachedProcess) -> Result<Self, String> {
        let missing = || "the exec stream has no standard streams".to_string();
        let stdin = Some(process.stdin().ok_or_else(missing)?);
        let stdout = BufReader::new(process.stdout().ok_or_else(missing)?).lines();
        let stderr = Some(process.stderr().ok_or_else(missing)?);
        let output = Output { stdout, stderr, process };
        Ok(Self { pod, says_it_is: String::new(), next_id: 0, sent: 0, stdin, output })
    }

    /// Write and read at the same time: with thousands of questions, the first answers fill the
    /// pipe before the last question is written.
    async fn exchange(
        &mut self,
        commands: Vec<Command>,
        limit: Duration,
    ) -> (BTreeMap<u64, Reply>, Lost) {
        let mut open: BTreeSet<u64> = commands.iter().map(|command| command.id).collect();
        let mut replies = BTreeMap::new();
        let mut written_whole = false;
        let work = async {
            let writing = async {
                let written = write_all(self.stdin.as_mut(), &commands).await;
                written_whole = written.is_ok();
                written
            };
            let reading = self.output.collect(&mut open, &mut replies);
            futures::try_join!(writing, reading)
        };
        let end = match tokio::time::timeout(limit, work).await {
            Ok(ended) => {
                let detail = ended.err().unwrap_or_default();
                Lost::Ended { pod: self.pod.clone(), detail }
            }
            Err(_) => Lost::Deadline { pod: self.pod.clone() },
        };
        if !written_whole {
            self.stdin = None;
        }
        (replies, end)
    }
}

impl Output {
    async fn collect(
        &mut self,
        open: &mut BTreeSet<u64>,
        replies: &mut BTreeMap<u64, Reply>,
    ) -> Result<(), String> {
        while !open.is_empty() {
            match self.read().await? {
                Message::Reply { id, reply } if open.remove(&id) => {
                    replies.insert(id, reply);
                }
                Message::Done { .. } => return Err("the agent said it was done".to_string()),
                // A pace's; they have a reader of their own.
                Message::Samples { .. } | Message::Reply { .. } | Message::Hello { .. } => {}
            }
        }
        Ok(())
    }

    /// The next message, or why there will be none.
    async fn read(&mut self) -> Result<Message, String> {
        match self.stdout.next_line().await {
            Ok(Some(line)) => serde_json::from_str(&line)
                .map_err(|error| format!("a line that is no message ({error}): {}", cut(&line))),
            Ok(None) => Err(self.why_it_ended().await),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn why_it_ended(&mut self) -> String {
        let patience = Duration::from_secs(1);
        let mut text = String::new();
        if let Some(stderr) = self.stderr.take() {
            let mut said = Vec::new();
            let mut stderr = stderr.take(4096);
            // Whatever arrived in time is worth telling; that it was cut short is not.
            let _in_time = tokio::time::timeout(patience, stderr.read_to_end(&mut said)).await;
            text.push_str(String::from_utf8_lossy(&said).trim());
        }
        if let Some(status) = self.process.take_status()
            && let Ok(Some(status)) = tokio::time::timeout(patience, status).await
            && let Some(message) = status.message
        {
            text = if text.is_empty() { message } else { format!("{text}; {message}") };
        }
        if text.is_empty() { "the agent's output ended".to_string() } else { text }
    }
}

async fn attach(client: &Client, pod: &AgentPod) -> Result<AttachedProcess, StreamError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace);
    let mut params = AttachParams::default()
        .stdin(true)
        .stdout(true)
        .stderr(true)
        .max_stdin_buf_size(PIPE_BYTES)
        .max_stdout_buf_size(PIPE_BYTES);
    params.container = pod.container.clone();
    pods.exec(&pod.name, [AGENT, "ask"], &params)
        .await
        .map_err(|source| StreamError::Open { pod: pod.clone(), source: Box::new(source) })
}

async fn write_all(
    stdin: Option<&mut WriteHalf<SimplexStream>>,
    commands: &[Command],
) -> Result<(), String> {
    let writer = stdin.ok_or_else(|| "an earlier question was cut short".to_string())?;
    let mut text = String::new();
    for command in commands {
        let line = serde_json::to_string(command)
            .map_err(|error| format!("a question cannot be written: {error}"))?;
        text.extend([line.as_str(), "\n"]);
    }
    let written = async {
        writer.write_all(text.as_bytes()).await?;
        writer.flush().await
    };
    written.await.map_err(|error| error.to_string())
}

fn cut(line: &str) -> String {
    line.chars().take(120).collect()
}
