//! Questions to a name server, many at once, each over a socket of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::Message;
use hickory_proto::rr::{RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::zone;
use crate::connect;
use crate::outcome::{Ending, Stage};
use crate::protocol::{DnsAnswer, DnsQuestion, DnsRecord, DnsReply, DnsRequest, Outcome, Reply};

const DNS_PORT: u16 = 53;
const DATAGRAM_LENGTH_MAX: usize = 4096;
const AT_ONCE_MAX: u16 = 256;
/// A record is shown to a person and never kept.
const SHOWN_MAX: usize = 64;

/// Answers [`crate::protocol::Ask::Dns`].
pub async fn ask(request: &DnsRequest) -> Reply {
    let server = match server_of(request) {
        Ok(server) => server,
        Err(detail) => return Reply::Failed { detail },
    };
    let places = Arc::new(Semaphore::new(usize::from(request.at_once.clamp(1, AT_ONCE_MAX))));
    let limit = Duration::from_millis(request.timeout_ms);
    let begun = Instant::now();
    let mut asked = JoinSet::new();
    for (index, question) in request.questions.iter().cloned().enumerate() {
        let places = Arc::clone(&places);
        asked.spawn(async move {
            let _place = places.acquire().await;
            (index, ask_one(server, &question, limit).await)
        });
    }
    let lost = || failed(Ending::probe_error("the question was lost"));
    let mut answers: Vec<DnsAnswer> = request.questions.iter().map(|_| lost()).collect();
    while let Some(done) = asked.join_next().await {
        if let Ok((index, answer)) = done {
            answers[index] = answer;
        }
    }
    let elapsed_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    Reply::Dns(DnsReply { server: server.to_string(), answers, elapsed_us })
}

fn server_of(request: &DnsRequest) -> Result<SocketAddr, String> {
    if let Some(server) = &request.server {
        return server.parse().map_err(|_| format!("`{server}` is not ADDRESS:PORT"));
    }
    let (config, _) =
        read_system_conf().map_err(|error| format!("failed to read /etc/resolv.conf: {error}"))?;
    let first = config.name_servers().first();
    let first = first.ok_or_else(|| "/etc/resolv.conf names no server".to_owned())?;
    Ok(SocketAddr::new(first.ip, DNS_PORT))
}

async fn ask_one(server: SocketAddr, question: &DnsQuestion, limit: Duration) -> DnsAnswer {
    let (id, query) = match zone::query(&question.name, record_type(question.record)) {
        Ok(query) => query,
        Err(detail) => return failed(Ending::probe_error(detail)),
    };
    match exchange(server, id, &query, limit).await {
        Ok(message) => read(&message),
        Err(ending) => failed(ending),
    }
}

async fn exchange(
    server: SocketAddr,
    id: u16,
    query: &[u8],
    limit: Duration,
) -> Result<Message, Ending> {
    let socket = connect::udp(server)?;
    socket.send(query).await.map_err(|error| Ending::before_contact(Stage::Send, &error))?;
    let deadline = Instant::now() + limit;
    let mut buffer = [0; DATAGRAM_LENGTH_MAX];
    loop {
        let length = match timeout_at(deadline, socket.recv(&mut buffer)).await {
            Ok(Ok(length)) => length,
            Ok(Err(error)) => return Err(Ending::before_contact(Stage::Wait, &error)),
            Err(_) => return Err(Ending::new(Outcome::Dropped, "nothing came back")),
        };
        match Message::from_vec(&buffer[..length]) {
            Ok(message) if message.metadata.id == id => return Ok(message),
            // A late answer to an earlier question from this port, or no DNS at all.
            Ok(_) | Err(_) => {}
        }
    }
}

fn read(message: &Message) -> DnsAnswer {
    let text_bytes = message.answers.iter().map(|record| match &record.data {
        RData::TXT(text) => text.txt_data.iter().map(|part| part.len() as u64).sum(),
        _ => 0,
    });
    let shown = message
        .answers
        .iter()
        .map(|record| record.data.to_string().chars().take(SHOWN_MAX).collect());
    DnsAnswer {
        outcome: Outcome::Reached,
        detail: message.metadata.response_code.to_string(),
        records: shown.collect(),
        text_bytes: text_bytes.sum(),
    }
}

fn failed(ending: Ending) -> DnsAnswer {
    DnsAnswer { outcome: ending.outcome, detail: ending.detail, records: Vec::new(), text_bytes: 0 }
}

fn record_type(record: DnsRecord) -> RecordType {
    match record {
        DnsRecord::A => RecordType::A,
        DnsRecord::Aaaa => RecordType::AAAA,
        DnsRecord::Ptr => RecordType::PTR,
        DnsRecord::Srv => RecordType::SRV,
        DnsRecord::Txt => RecordType::TXT,
    }
}
