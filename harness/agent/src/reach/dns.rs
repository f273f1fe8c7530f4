//! A DNS query straight to the target. Any DNS answer counts, whatever it says.

use std::str::FromStr;

use hickory_proto::op::{Message, MessageType, Query};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use super::probe::{Attempt, Finding};
use super::tcp;
use super::udp::Talk;
use crate::dns as zone;
use crate::outcome::Ending;
use crate::protocol::Outcome;

const QUESTION: &str = "kubernetes.default.svc.cluster.local.";

/// Over UDP: only a datagram that comes back is an answer.
pub(super) async fn over_udp(attempt: &Attempt<'_>) -> Finding {
    let (id, query) = match query() {
        Ok(query) => query,
        Err(ending) => return Finding::ended(None, ending),
    };
    let mut talk = match Talk::begin(attempt, &query) {
        Ok(talk) => talk,
        Err(finding) => return finding,
    };
    match talk.hear(attempt).await {
        Ok(datagram) => {
            let detail = describe(id, datagram);
            Finding::complete(talk.local_port, detail)
        }
        Err(ending) => Finding::ended(talk.local_port, ending),
    }
}

/// Over TCP: the handshake alone is "reached"; the detail tells whether DNS was spoken.
pub(super) async fn over_tcp(attempt: &Attempt<'_>) -> Finding {
    let (id, query) = match query() {
        Ok(query) => query,
        Err(ending) => return Finding::ended(None, ending),
    };
    let (mut stream, local_port) = match tcp::open(attempt).await {
        Ok(opened) => opened,
        Err(finding) => return finding,
    };
    let detail = match timeout_at(attempt.deadline, exchange(&mut stream, &query)).await {
        Ok(Ok(answer)) => describe(id, &answer),
        Ok(Err(error)) => format!("connected, no DNS answer: {error}"),
        Err(_) => "connected, no DNS answer within the time-out".to_owned(),
    };
    Finding::complete(local_port, detail)
}

/// Asks for the text of the nonce's own name over UDP, and wants the nonce back.
pub(super) async fn look_up_over_udp(attempt: &Attempt<'_>) -> Finding {
    let (id, query) = match lookup_query(attempt) {
        Ok(query) => query,
        Err(ending) => return Finding::ended(None, ending),
    };
    let mut talk = match Talk::begin(attempt, &query) {
        Ok(talk) => talk,
        Err(finding) => return finding,
    };
    let local_port = talk.local_port;
    match talk.hear(attempt).await {
        Ok(datagram) => looked_up(attempt, local_port, id, datagram),
        Err(ending) => Finding::ended(local_port, ending),
    }
}

/// The same over TCP: the handshake alone is "reached".
pub(super) async fn look_up_over_tcp(attempt: &Attempt<'_>) -> Finding {
    let (id, query) = match lookup_query(attempt) {
        Ok(query) => query,
        Err(ending) => return Finding::ended(None, ending),
    };
    let (mut stream, local_port) = match tcp::open(attempt).await {
        Ok(opened) => opened,
        Err(finding) => return finding,
    };
    match timeout_at(attempt.deadline, exchange(&mut stream, &query)).await {
        Ok(Ok(answer)) => looked_up(attempt, local_port, id, &answer),
        Ok(Err(error)) => {
            Finding::complete(local_port, format!("connected, no DNS answer: {error}"))
        }
        Err(_) => Finding::complete(local_port, "connected, no DNS answer within the time-out"),
    }
}

fn lookup_query(attempt: &Attempt<'_>) -> Result<(u16, Vec<u8>), Ending> {
    let name = format!("{}.{}", attempt.nonce, zone::ZONE);
    zone::query(&name, RecordType::TXT).map_err(|detail| Ending::new(Outcome::ProbeError, detail))
}

fn looked_up(attempt: &Attempt<'_>, local_port: Option<u16>, id: u16, answer: &[u8]) -> Finding {
    match zone::nonce_of_answer(answer) {
        Some((nonce, pod)) if nonce.eq_ignore_ascii_case(attempt.nonce) => {
            Finding { local_port, echoed: true, answered_by: pod, ending: None }
        }
        _ => Finding::complete(local_port, describe(id, answer)),
    }
}

fn query() -> Result<(u16, Vec<u8>), Ending> {
    let wrong = |error: &dyn std::fmt::Display| {
        Ending::new(Outcome::ProbeError, format!("failed to make a DNS query: {error}"))
    };
    let name = Name::from_str(QUESTION).map_err(|error| wrong(&error))?;
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name, RecordType::A));
    let bytes = message.to_vec().map_err(|error| wrong(&error))?;
    Ok((message.metadata.id, bytes))
}

/// DNS over TCP puts a length of two bytes before each message.
async fn exchange(stream: &mut TcpStream, query: &[u8]) -> std::io::Result<Vec<u8>> {
    let length = u16::try_from(query.len()).map_err(std::io::Error::other)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(query).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn describe(id: u16, answer: &[u8]) -> String {
    match Message::from_vec(answer) {
        Ok(message)
            if message.metadata.message_type == MessageType::Response
                && message.metadata.id == id =>
        {
            format!("DNS answer: {}", message.metadata.response_code)
        }
        _ => "answered, but not to this DNS query".to_owned(),
    }
}
