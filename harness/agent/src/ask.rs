//! `ask`: commands in, answers out, many at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter,
};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::pace::{self, Paces};
use crate::protocol::{Ask, Command, Message, PROTOCOL_VERSION, Reply};
use crate::resolve::Resolver;
use crate::{control, dns, http, otlp, reach};

/// The longest line of the protocol, its end included.
pub const LINE_LENGTH_MAX: usize = 1024 * 1024;

/// Answers that follow each other this closely leave in one piece: every piece goes through the
/// container runtime, the kubelet and the API server, which would be busier with it than with
/// the probe.
const LINGER: Duration = Duration::from_millis(10);

/// The number of the reply to a line that carries none.
pub const NO_NUMBER: u64 = u64::MAX;

/// Why a stream of questions ended early. It then lacks [`Message::Done`].
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The stream broke.
    #[error("failed to read or write the stream: {0}")]
    Io(#[from] std::io::Error),
    /// Answers are missing.
    #[error("{commands} commands were read and {answered} answered")]
    Unanswered {
        /// Lines that were read.
        commands: u64,
        /// Replies that were written.
        answered: u64,
    },
    /// A command is longer than the protocol allows.
    #[error("a command is longer than {LINE_LENGTH_MAX} bytes")]
    LineTooLong,
}

/// What answers the questions.
pub struct Agent {
    resolver: Arc<Resolver>,
    paces: Paces,
    probes: Semaphore,
    control: String,
    pod: String,
}

impl Agent {
    /// An agent beside the server at this control socket, with so many probes at once.
    pub fn new(control: String, pod: String, probes_in_flight: usize) -> Self {
        Self {
            resolver: Arc::new(Resolver::from_system()),
            paces: Paces::default(),
            probes: Semaphore::new(probes_in_flight),
            control,
            pod,
        }
    }

    /// The same agent with another resolver.
    #[must_use]
    pub fn with_resolver(mut self, resolver: Resolver) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    /// Answers one question. A probe's time-out begins when its turn has come.
    pub async fn answer(&self, question: Ask) -> Reply {
        match question {
            Ask::Receipts { .. }
            | Ask::Listening
            | Ask::Environment { .. }
            | Ask::Tally { .. }
            | Ask::OwnPace => match control::ask(&self.control, &question).await {
                Ok(reply) => reply,
                Err(error) => Reply::Failed { detail: error.to_string() },
            },
            Ask::PaceEnd => Reply::PaceEnded { paces: self.paces.end() },
            Ask::Pace(_) => Reply::Failed { detail: "a pace needs a stream".to_owned() },
            Ask::Reach(_) | Ask::Emit(_) | Ask::Load(_) | Ask::Http(_) | Ask::Dns(_) => {
                match self.probes.acquire().await {
                    Ok(_turn) => self.probe(question).await,
                    Err(error) => Reply::Failed { detail: error.to_string() },
                }
            }
        }
    }

    async fn probe(&self, question: Ask) -> Reply {
        let environment = |name: &str| std::env::var(name).ok();
        match question {
            Ask::Reach(request) => Reply::Reach(reach::reach(&self.resolver, &request).await),
            Ask::Emit(request) => {
                Reply::Emit(otlp::emit(&self.resolver, &request, environment).await)
            }
            Ask::Load(request) => {
                Reply::Load(otlp::load(&self.resolver, &request, environment).await)
            }
            Ask::Http(request) => Reply::Http(http::ask(&self.resolver, &request).await),
            Ask::Dns(request) => dns::ask(&request).await,
            _ => Reply::Failed { detail: "not a probe".to_owned() },
        }
    }
}

/// Reads commands until the input ends, and writes every answer when it is ready.
///
/// [`Message::Done`] is written only if every command that was read has been answered.
pub async fn run<R, W>(agent: Arc<Agent>, input: R, output: W) -> Result<u64, AskError>
where
    R: AsyncBufRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (sender, answers) = unbounded_channel();
    let hello = Message::Hello { protocol: PROTOCOL_VERSION, pod: agent.pod.clone() };
    // The receiver lives in this function, below.
    drop(sender.send(hello));
    let mut output = BufWriter::new(output);
    let reading = read(agent, input, sender);
    let (commands, answered) = tokio::try_join!(reading, write(answers, &mut output))?;
    if answered != commands {
        // A command that went down with a panic leaves no answer and no other trace.
        return Err(AskError::Unanswered { commands, answered });
    }
    write_message(&mut output, &Message::Done { commands }).await?;
    output.flush().await?;
    Ok(commands)
}

/// Starts every command as soon as it is read. The channel closes when the last is answered.
async fn read<R: AsyncBufRead + Unpin>(
    agent: Arc<Agent>,
    mut input: R,
    answers: UnboundedSender<Message>,
) -> Result<u64, AskError> {
    let mut commands = 0;
    let mut line = Vec::new();
    while next_line(&mut input, &mut line).await? {
        if line.trim_ascii().is_empty() {
            continue;
        }
        commands += 1;
        match serde_json::from_slice::<Command>(&line) {
            Ok(command) => start(&agent, command, answers.clone()),
            Err(error) => {
                let reply =
                    Reply::Failed { detail: format!("failed to understand the command: {error}") };
                // The writer outlives the reader, or the stream is broken and told so there.
                drop(answers.send(Message::Reply { id: number_of(&line), reply }));
            }
        }
    }
    // Who has no more to ask has seen enough.
    agent.paces.end();
    Ok(commands)
}

fn start(agent: &Arc<Agent>, command: Command, answers: UnboundedSender<Message>) {
    let agent = Arc::clone(agent);
    // Before the next command is read, which may end it.
    let ending = matches!(command.ask, Ask::Pace(_)).then(|| agent.paces.begin());
    tokio::spawn(async move {
        let reply = match (command.ask, ending) {
            (Ask::Pace(request), Some(ending)) => {
                let resolver = Arc::clone(&agent.resolver);
                pace::answer(resolver, command.id, request, ending, &answers).await
            }
            (ask, _) => agent.answer(ask).await,
        };
        // Where nobody listens any more, nobody misses it.
        drop(answers.send(Message::Reply { id: command.id, reply }));
    });
}

/// The number of a command that is otherwise not understood.
fn number_of(line: &[u8]) -> u64 {
    serde_json::from_slice::<serde_json::Value>(line)
        .ok()
        .and_then(|value| value.get("id")?.as_u64())
        .unwrap_or(NO_NUMBER)
}

async fn next_line<R: AsyncBufRead + Unpin>(
    input: &mut R,
    line: &mut Vec<u8>,
) -> Result<bool, AskError> {
    line.clear();
    let limit = LINE_LENGTH_MAX as u64;
    input.take(limit).read_until(b'\n', line).await?;
    if line.len() == LINE_LENGTH_MAX && !line.ends_with(b"\n") {
        return Err(AskError::LineTooLong);
    }
    Ok(!line.is_empty())
}

/// Writes until no command is left that could be answered, and counts the replies.
async fn write<W: AsyncWrite + Unpin>(
    mut answers: UnboundedReceiver<Message>,
    output: &mut BufWriter<W>,
) -> Result<u64, AskError> {
    let mut answered = 0;
    let mut next = answers.recv().await;
    while let Some(message) = next {
        write_message(output, &message).await?;
        answered += u64::from(matches!(message, Message::Reply { .. }));
        next = match timeout(LINGER, answers.recv()).await {
            Ok(next) => next,
            Err(_) => {
                output.flush().await?;
                answers.recv().await
            }
        };
    }
    Ok(answered)
}

async fn write_message<W: AsyncWrite + Unpin>(
    output: &mut BufWriter<W>,
    message: &Message,
) -> Result<(), AskError> {
    let mut line = encode(message)?;
    if line.len() >= LINE_LENGTH_MAX {
        line = encode(&too_long(message, line.len()))?;
    }
    line.push(b'\n');
    Ok(output.write_all(&line).await?)
}

fn encode(message: &Message) -> Result<Vec<u8>, AskError> {
    serde_json::to_vec(message).map_err(|error| AskError::Io(error.into()))
}

/// An answer that does not fit a line is not cut: it would claim absence.
fn too_long(message: &Message, length: usize) -> Message {
    let id = match message {
        Message::Reply { id, .. } => *id,
        Message::Samples { id, .. } => *id,
        Message::Hello { .. } | Message::Done { .. } => NO_NUMBER,
    };
    Message::Reply {
        id,
        reply: Reply::Failed {
            detail: format!(
                "the answer has {length} bytes and does not fit a line (hint: name fewer nonces)"
            ),
        },
    }
}
