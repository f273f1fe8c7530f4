//! TCP and SCTP: a completed handshake is "reached", whatever comes after.

use socket2::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::probe::{Attempt, Finding};
use crate::connect::Handshake;
use crate::exchange;
use crate::outcome::Ending;
use crate::protocol::Transport;

/// The connection of an attempt and its source port, or how it ended.
pub(super) async fn open(attempt: &Attempt<'_>) -> Result<(TcpStream, Option<u16>), Finding> {
    let handshake = Handshake::begin_over(attempt.address, protocol_of(attempt.transport))
        .map_err(|ending| Finding::ended(None, ending))?;
    let local_port = handshake.local_port;
    match handshake.finish(attempt.deadline).await {
        Ok(stream) => Ok((stream, local_port)),
        Err(ending) => Err(Finding::ended(local_port, ending)),
    }
}

fn protocol_of(transport: Transport) -> Protocol {
    match transport {
        Transport::Sctp => Protocol::SCTP,
        Transport::Tcp | Transport::Udp => Protocol::TCP,
    }
}

/// Sends the nonce and wants it back.
pub(super) async fn nonce(attempt: &Attempt<'_>) -> Finding {
    let (mut stream, local_port) = match open(attempt).await {
        Ok(opened) => opened,
        Err(finding) => return finding,
    };
    let line = match say_and_hear(&mut stream, attempt).await {
        Ok(line) => line,
        Err(detail) => return no_echo(local_port, &detail),
    };
    match exchange::parse_answer(&line) {
        Some((nonce, pod)) if nonce == attempt.nonce => {
            Finding { local_port, echoed: true, answered_by: pod, ending: None }
        }
        Some(_) => no_echo(local_port, "another nonce came back"),
        None if line.is_empty() => no_echo(local_port, "closed without an answer"),
        None => no_echo(local_port, "answered something else"),
    }
}

/// Sends the nonce and wants nothing back.
pub(super) async fn connect(attempt: &Attempt<'_>) -> Finding {
    let (mut stream, local_port) = match open(attempt).await {
        Ok(opened) => opened,
        Err(finding) => return finding,
    };
    let detail = match say(&mut stream, attempt.nonce, attempt.deadline).await {
        Ok(()) => "connected".to_owned(),
        Err(detail) => format!("connected, {detail}"),
    };
    Finding::complete(local_port, detail)
}

fn no_echo(local_port: Option<u16>, reason: &str) -> Finding {
    let ending = Ending::new(
        crate::protocol::Outcome::Reached,
        format!("connected, no nonce echo: {reason}"),
    );
    Finding::ended(local_port, ending)
}

async fn say(stream: &mut TcpStream, nonce: &str, deadline: Instant) -> Result<(), String> {
    let line = exchange::request(nonce);
    match timeout_at(deadline, stream.write_all(line.as_bytes())).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("then broken off: {error}")),
        Err(_) => Err("nothing could be sent within the time-out".to_owned()),
    }
}

async fn say_and_hear(stream: &mut TcpStream, attempt: &Attempt<'_>) -> Result<Vec<u8>, String> {
    say(stream, attempt.nonce, attempt.deadline).await?;
    match timeout_at(attempt.deadline, read_line(stream)).await {
        Ok(Ok(line)) => Ok(line),
        Ok(Err(error)) => Err(format!("broken off: {error}")),
        Err(_) => Err("nothing came back within the time-out".to_owned()),
    }
}

async fn read_line(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::with_capacity(128);
    while line.len() < exchange::LINE_LENGTH_MAX && !line.contains(&b'\n') {
        if stream.read_buf(&mut line).await? == 0 {
            break;
        }
    }
    Ok(line)
}
