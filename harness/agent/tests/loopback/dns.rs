//! Names, asked of a small DNS server of our own, and `Speak::Dns` against it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record, RecordType};
use partywall_agent::protocol::{Ask, Outcome, ReachReply, Reply, Speak, Transport};
use partywall_agent::resolve::Resolver;
use tokio::net::UdpSocket;

use crate::support::{agent, loopback, reach, request, serve};

/// Knows `gateway.tenant.svc.cluster.local` alone; `broken` fails at the server.
async fn name_server() -> SocketAddr {
    counting_name_server(Arc::default()).await
}

/// The same, which counts the questions for addresses of names that begin with `gateway.tenant.` or
/// `broken.`.
async fn counting_name_server(questions: Arc<AtomicUsize>) -> SocketAddr {
    let socket = UdpSocket::bind(loopback(0)).await.expect("a free port");
    let address = socket.local_addr().expect("it is bound");
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let query = Message::from_vec(&buffer[..length]).expect("a query");
            if is_counted(&query) {
                questions.fetch_add(1, Ordering::Relaxed);
            }
            let bytes = answer(&query).to_vec().expect("an answer");
            socket.send_to(&bytes, peer).await.expect("the loopback");
        }
    });
    address
}

fn is_counted(query: &Message) -> bool {
    let question = &query.queries[0];
    let name = question.name().to_string();
    let is_told = name.starts_with("gateway.tenant.") || name.starts_with("broken.");
    is_told && question.query_type() == RecordType::A
}

fn answer(query: &Message) -> Message {
    let question = query.queries[0].clone();
    let name = question.name().to_string();
    let mut message = Message::response(query.metadata.id, query.metadata.op_code);
    message.add_query(question.clone());
    if name.starts_with("broken.") {
        message.metadata.response_code = ResponseCode::ServFail;
    } else if name != "gateway.tenant.svc.cluster.local." {
        message.metadata.response_code = ResponseCode::NXDomain;
    } else if question.query_type() == RecordType::A {
        let address = RData::A(A(Ipv4Addr::LOCALHOST));
        message.add_answer(Record::from_rdata(question.name().clone(), 5, address));
    }
    message
}

async fn reach_name(servers: &[SocketAddr], name: &str, port: u16) -> ReachReply {
    let search = ["other.svc.cluster.local.", "tenant.svc.cluster.local."];
    let resolver = Resolver::with_servers(servers, &search, 5);
    let mut asked = request(Transport::Tcp, Speak::Nonce, port);
    asked.target = name.to_owned();
    match agent("none").with_resolver(resolver).answer(Ask::Reach(asked)).await {
        Reply::Reach(reply) => reply,
        other => panic!("not a reach reply: {other:?}"),
    }
}

#[tokio::test]
async fn a_name_is_looked_up_along_the_search_list() {
    let fixture = serve();
    let server = name_server().await;
    let reply = reach_name(&[server], "gateway", fixture.port).await;
    assert_eq!(reply.outcome, Outcome::Reached, "{}", reply.detail);
    assert!(reply.echoed);
    assert_eq!(reply.address.as_deref(), Some("127.0.0.1"));
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_unresolved() {
    let server = name_server().await;
    let reply = reach_name(&[server], "nothing", 1).await;
    assert_eq!(reply.outcome, Outcome::Unresolved);
    assert_eq!(reply.detail, "nothing: Non-Existent Domain");
    assert_eq!((reply.local_port, reply.elapsed_us), (None, 0));
}

#[tokio::test]
async fn a_server_that_fails_leaves_the_name_unresolved() {
    let server = name_server().await;
    let reply = reach_name(&[server], "broken.", 1).await;
    assert_eq!(reply.outcome, Outcome::Unresolved);
    assert_eq!(reply.detail, "broken.: Server Failure");
}

#[tokio::test]
async fn a_server_that_is_silent_leaves_the_name_unresolved() {
    let silent = UdpSocket::bind(loopback(0)).await.expect("a free port");
    let address = silent.local_addr().expect("it is bound");
    let reply = reach_name(&[address], "gateway", 1).await;
    assert_eq!(reply.outcome, Outcome::Unresolved, "{}", reply.detail);
    assert_eq!(reply.detail, "gateway: time-out");
}

#[tokio::test]
async fn any_dns_answer_counts() {
    let server = name_server().await;
    let reply = reach(request(Transport::Udp, Speak::Dns, server.port())).await;
    assert_eq!(reply.outcome, Outcome::Reached);
    assert_eq!(reply.detail, "DNS answer: Non-Existent Domain");
}

#[tokio::test]
async fn probes_of_a_moment_share_what_was_found_and_no_failure() {
    let questions = Arc::new(AtomicUsize::new(0));
    let server = counting_name_server(Arc::clone(&questions)).await;
    let resolver = Resolver::with_servers(&[server], &["tenant.svc.cluster.local."], 5);
    let (one, other) = tokio::join!(resolver.resolve("gateway"), resolver.resolve("gateway"));
    assert_eq!(one, other);
    assert!(one.is_ok() && resolver.resolve("gateway").await == one);
    assert_eq!(questions.swap(0, Ordering::Relaxed), 1);
    for asked in 1..=2 {
        assert!(resolver.resolve("broken.").await.is_err());
        assert!(questions.load(Ordering::Relaxed) >= asked);
    }
}
