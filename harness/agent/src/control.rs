//! The control socket between `ask` and the server of the same pod.
//!
//! It is an abstract Unix socket, so it needs no file system and ends at the pod's network
//! namespace. One connection carries one [`Ask`] and its [`Reply`], each a JSON line.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use crate::protocol::{Ask, Reply};

/// The name of the control socket unless another one is chosen.
pub const DEFAULT_NAME: &str = "partywall-agent";

/// The server answers from memory; longer means that it hangs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// All receipts of a full ring fit.
const LINE_LENGTH_MAX: u64 = 64 * 1024 * 1024;

/// Why the server of this pod could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nothing listens on the control socket.
    #[error("failed to reach the server of this pod at @{name}: {source}")]
    Connect {
        /// The control socket's name.
        name: String,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The socket broke.
    #[error("failed to exchange with the server of this pod: {0}")]
    Io(#[from] std::io::Error),
    /// The other end said something else than the protocol.
    #[error("failed to understand the server of this pod: {0}")]
    Json(#[from] serde_json::Error),
    /// The other end said nothing.
    #[error("the server of this pod did not answer within {} s", ANSWER_TIMEOUT.as_secs())]
    Timeout,
}

/// Listens on the control socket of this name.
pub fn listen(name: &str) -> std::io::Result<UnixListener> {
    UnixListener::bind(path(name))
}

/// Asks the server of this pod.
pub async fn ask(name: &str, question: &Ask) -> Result<Reply, ControlError> {
    timeout(ANSWER_TIMEOUT, ask_now(name, question)).await.map_err(|_| ControlError::Timeout)?
}

async fn ask_now(name: &str, question: &Ask) -> Result<Reply, ControlError> {
    let mut stream = UnixStream::connect(path(name))
        .await
        .map_err(|source| ControlError::Connect { name: name.to_owned(), source })?;
    write_line(&mut stream, question).await?;
    let mut line = String::new();
    BufReader::new(stream.take(LINE_LENGTH_MAX)).read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}

/// Reads one question, answers it by `answer`, and ends the connection.
pub async fn serve_one(
    stream: UnixStream,
    answer: impl FnOnce(Ask) -> Reply,
) -> Result<(), ControlError> {
    timeout(ANSWER_TIMEOUT, async {
        let mut reader = BufReader::new(stream).take(LINE_LENGTH_MAX);
        let mut line = String::new();
        reader.read_line(&mut line).await?;
        let reply = match serde_json::from_str(&line) {
            Ok(question) => answer(question),
            Err(error) => {
                Reply::Failed { detail: format!("failed to understand the question: {error}") }
            }
        };
        let mut stream = reader.into_inner().into_inner();
        write_line(&mut stream, &reply).await
    })
    .await
    .map_err(|_| ControlError::Timeout)?
}

async fn write_line(
    stream: &mut UnixStream,
    value: &impl serde::Serialize,
) -> Result<(), ControlError> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    Ok(stream.flush().await?)
}

/// A leading NUL is how Linux spells the abstract namespace.
fn path(name: &str) -> String {
    format!("\0{name}")
}
