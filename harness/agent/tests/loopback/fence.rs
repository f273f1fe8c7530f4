//! A question for the receipts is a fence: what the kernel holds is in the answer.
//!
//! The tests run on one thread and do not yield to the server's tasks between the sending and
//! the question, so whatever is in the answer was taken in by the fence itself.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use partywall_agent::protocol::{Ask, Reply, Transport};

use crate::support::{Fixture, agent, loopback, serve};

fn nonces(fixture: &Fixture, transport: Transport) -> Vec<Option<String>> {
    let of = fixture.receipts().into_iter().filter(|r| r.transport == transport);
    of.map(|receipt| receipt.nonce).collect()
}

#[tokio::test]
async fn datagrams_in_the_buffer_are_in_the_answer() {
    let fixture = serve();
    let socket = UdpSocket::bind(loopback(0)).expect("a free port");
    for index in 0..100 {
        let line = format!("PARTYWALL n{index}\n");
        socket.send_to(line.as_bytes(), loopback(fixture.port)).expect("the loopback");
    }
    let found = nonces(&fixture, Transport::Udp);
    assert_eq!(found.len(), 100);
    assert_eq!(found[99].as_deref(), Some("n99"));
    // The receipt comes first, the echo is not forgotten.
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a live socket");
    let mut buffer = [0; 100];
    let length = socket.recv(&mut buffer).expect("an echo");
    assert_eq!(&buffer[..length], b"PARTYWALL n0 tenant/server-0\n");
}

#[tokio::test]
async fn connections_in_the_backlog_are_in_the_answer() {
    let fixture = serve();
    let mut silent = TcpStream::connect(loopback(fixture.port)).expect("it listens");
    let mut speaking = TcpStream::connect(loopback(fixture.port)).expect("it listens");
    speaking.write_all(b"PARTYWALL n1\n").expect("it is connected");
    let found = nonces(&fixture, Transport::Tcp);
    assert_eq!(found, [None, Some("n1".to_owned())]);

    // A nonce that comes later is found in a connection that is already accepted.
    silent.write_all(b"PARTYWALL n2\n").expect("it is connected");
    let found = nonces(&fixture, Transport::Tcp);
    assert_eq!(found, [Some("n2".to_owned()), Some("n1".to_owned())]);

    // What the fence has read is answered all the same.
    let answers = tokio::task::spawn_blocking(move || {
        [silent, speaking].map(|mut stream| {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            answer
        })
    });
    let answers = answers.await.expect("both were read");
    let expected = ["PARTYWALL n2 tenant/server-0\n", "PARTYWALL n1 tenant/server-0\n"];
    assert_eq!(answers, expected);
}

#[tokio::test]
async fn a_connection_that_came_and_went_is_in_the_answer() {
    let fixture = serve();
    let peer = {
        let stream = TcpStream::connect(loopback(fixture.decoy)).expect("it listens");
        stream.local_addr().expect("it is connected")
    };
    let receipts = fixture.receipts();
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0].peer, peer.to_string());
    assert_eq!(receipts[0].port, fixture.decoy);
}

#[tokio::test]
async fn health_checks_leave_no_receipt() {
    let fixture = serve();
    let mut stream = TcpStream::connect(loopback(fixture.port)).expect("it listens");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").expect("it is connected");
    assert!(fixture.receipts().is_empty());
}

#[tokio::test]
async fn the_control_socket_tells_receipts_and_no_secrets() {
    let fixture = serve();
    let agent = agent(&fixture.control);
    let socket = UdpSocket::bind(loopback(0)).expect("a free port");
    for nonce in ["n1", "n2"] {
        let line = format!("PARTYWALL {nonce}\n");
        socket.send_to(line.as_bytes(), loopback(fixture.port)).expect("the loopback");
    }
    let only = Ask::Receipts { nonces: vec!["n2".to_owned(), "absent".to_owned()] };
    let Reply::Receipts(receipts) = agent.answer(only).await else {
        panic!("no receipts");
    };
    assert_eq!(receipts.len(), 1);

    let names = |name: &str| Ask::Environment { names: vec![name.to_owned(), "POD_IP".to_owned()] };
    let Reply::Environment(told) = agent.answer(names("POD_NAME")).await else {
        panic!("no environment");
    };
    assert_eq!(told.into_iter().collect::<Vec<_>>(), [("POD_NAME".into(), "server-0".into())]);
    let started = Ask::Environment { names: vec![partywall_agent::server::STARTED.to_owned()] };
    let Reply::Environment(told) = agent.answer(started).await else {
        panic!("no environment");
    };
    let started: u64 = told["PARTYWALL_STARTED_US"].parse().expect("a number");
    assert!(receipts[0].at_us >= started);

    let refused = agent.answer(names("DATABASE_PASSWORD")).await;
    assert!(matches!(refused, Reply::Failed { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_pod_without_a_server_has_no_receipts_to_tell() {
    let all = Ask::Receipts { nonces: Vec::new() };
    let reply = agent("nobody-listens-here").answer(all).await;
    let Reply::Failed { detail } = reply else {
        panic!("absence was claimed: {reply:?}");
    };
    assert!(detail.contains("@nobody-listens-here"), "{detail}");
}
