//! Each outcome, and that a made connection is "reached" whatever comes after.

use std::net::{TcpListener as StdListener, UdpSocket as StdUdp};
use std::time::Duration;

use partywall_agent::protocol::Ask;
use partywall_agent::protocol::{HttpRequest, Outcome, Reply, Speak, Transport};
use socket2::{Domain, SockRef, Socket, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, UdpSocket};

use crate::support::{SHORT_MS, agent, loopback, reach, request, serve};

/// A port on which nothing listens.
fn closed_port() -> u16 {
    let listener = StdListener::bind(loopback(0)).expect("the loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}

#[tokio::test]
async fn an_echo_is_reached_and_names_its_server() {
    let fixture = serve();
    for transport in [Transport::Tcp, Transport::Udp] {
        let request = request(transport, Speak::Nonce, fixture.port);
        let nonce = request.nonce.clone();
        let reply = reach(request).await;
        assert_eq!(reply.outcome, Outcome::Reached, "{}", reply.detail);
        assert!(reply.echoed);
        assert_eq!(reply.answered_by.as_deref(), Some("tenant/server-0"));
        assert_eq!(reply.address, None);
        let receipts = fixture.receipts();
        let receipt = receipts.iter().find(|r| r.nonce.as_deref() == Some(&nonce));
        let receipt = receipt.expect("an answer has a receipt");
        assert_eq!((receipt.transport, receipt.port), (transport, fixture.port));
        let port = reply.local_port.expect("a socket was made");
        assert_eq!(receipt.peer, format!("127.0.0.1:{port}"));
    }
}

#[tokio::test]
async fn a_connection_alone_leaves_its_nonce() {
    let fixture = serve();
    let request = request(Transport::Tcp, Speak::Connect, fixture.decoy);
    let nonce = request.nonce.clone();
    let reply = reach(request).await;
    assert_eq!((reply.outcome, reply.echoed), (Outcome::Reached, false));
    let receipts = fixture.receipts();
    assert_eq!(receipts[0].nonce, Some(nonce));
    assert_eq!(receipts[0].port, fixture.decoy);
}

#[tokio::test]
async fn a_closed_port_is_refused() {
    for transport in [Transport::Tcp, Transport::Udp] {
        let reply = reach(request(transport, Speak::Nonce, closed_port())).await;
        assert_eq!(reply.outcome, Outcome::Refused, "{}", reply.detail);
        assert!(reply.local_port.is_some());
    }
}

#[tokio::test]
async fn a_handshake_that_is_not_answered_is_dropped() {
    // A full accept queue ignores connection requests, as a policy that drops them does.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&loopback(0).into()).expect("a free port");
    socket.listen(0).expect("it is bound");
    let listener = StdListener::from(socket);
    let address = listener.local_addr().expect("it is bound");
    let fill = Duration::from_millis(100);
    let filling: Vec<_> =
        (0..4).map(|_| std::net::TcpStream::connect_timeout(&address, fill)).collect();
    assert!(filling.iter().any(Result::is_err), "the queue is full");

    let mut request = request(Transport::Tcp, Speak::Nonce, address.port());
    request.timeout_ms = SHORT_MS;
    let reply = reach(request).await;
    assert_eq!(reply.outcome, Outcome::Dropped, "{}", reply.detail);
    assert!(reply.elapsed_us >= SHORT_MS * 1000);
}

#[tokio::test]
async fn an_unanswered_datagram_is_dropped() {
    let silent = UdpSocket::bind(loopback(0)).await.expect("a free port");
    let port = silent.local_addr().expect("it is bound").port();
    let mut request = request(Transport::Udp, Speak::Nonce, port);
    request.timeout_ms = SHORT_MS;
    let line = format!("PARTYWALL {}\n", request.nonce);
    let reply = reach(request).await;
    assert_eq!(reply.outcome, Outcome::Dropped, "{}", reply.detail);
    let mut buffer = [0; 100];
    let length = silent.try_recv(&mut buffer).expect("the request came");
    assert_eq!(&buffer[..length], line.as_bytes());
    let again = silent.try_recv(&mut buffer);
    assert!(again.is_err(), "a datagram is sent once");
}

#[tokio::test]
async fn a_silent_server_was_reached() {
    let listener = TcpListener::bind(loopback(0)).await.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    for speak in [Speak::Nonce, Speak::Dns, Speak::Https] {
        let mut request = request(Transport::Tcp, speak, port);
        request.timeout_ms = SHORT_MS;
        let reply = reach(request).await;
        assert_eq!(reply.outcome, Outcome::Reached, "{speak:?}: {}", reply.detail);
        assert!(!reply.echoed);
        assert!(reply.detail.starts_with("connected, "), "{}", reply.detail);
    }
}

#[tokio::test]
async fn a_server_that_breaks_off_was_reached() {
    let listener = TcpListener::bind(loopback(0)).await.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let server = tokio::spawn(async move {
        let (reset, _) = listener.accept().await.expect("the first probe");
        SockRef::from(&reset).set_linger(Some(Duration::ZERO)).expect("a live socket");
        drop(reset);
        let (mut other, _) = listener.accept().await.expect("the second probe");
        other.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("it listens");
        let (closed, _) = listener.accept().await.expect("the third probe");
        drop(closed);
    });
    for what in ["reset", "something else", "closed"] {
        let reply = reach(request(Transport::Tcp, Speak::Nonce, port)).await;
        assert_eq!(reply.outcome, Outcome::Reached, "{what}: {}", reply.detail);
        assert!(!reply.echoed, "{what}");
        assert!(reply.detail.starts_with("connected, "), "{what}: {}", reply.detail);
    }
    server.await.expect("it served three");
}

#[tokio::test]
async fn a_late_answer_to_an_earlier_probe_is_not_this_ones() {
    let server = UdpSocket::bind(loopback(0)).await.expect("a free port");
    let port = server.local_addr().expect("it is bound").port();
    let answering = tokio::spawn(async move {
        let mut buffer = [0; 100];
        let (_, peer) = server.recv_from(&mut buffer).await.expect("the request");
        server.send_to(b"PARTYWALL earlier x/y\n", peer).await.expect("it listens");
        server
    });
    let mut request = request(Transport::Udp, Speak::Nonce, port);
    request.timeout_ms = SHORT_MS;
    let reply = reach(request).await;
    assert_eq!(reply.outcome, Outcome::Dropped);
    assert!(reply.detail.contains("1 late answers"), "{}", reply.detail);
    drop(answering.await);
}

#[tokio::test]
async fn a_foreign_datagram_is_an_answer() {
    let server = StdUdp::bind(loopback(0)).expect("a free port");
    let port = server.local_addr().expect("it is bound").port();
    let answering = tokio::task::spawn_blocking(move || {
        let mut buffer = [0; 100];
        let (_, peer) = server.recv_from(&mut buffer).expect("the request");
        server.send_to(b"what?", peer).expect("it listens");
    });
    let reply = reach(request(Transport::Udp, Speak::Nonce, port)).await;
    assert_eq!((reply.outcome, reply.echoed), (Outcome::Reached, false));
    answering.await.expect("it answered");
}

#[tokio::test]
async fn what_cannot_be_asked_is_a_probe_error() {
    let mut odd = request(Transport::Tcp, Speak::Nonce, 1);
    odd.nonce = "two words".to_owned();
    let cases =
        [odd, request(Transport::Udp, Speak::Connect, 1), request(Transport::Udp, Speak::Https, 1)];
    for case in cases {
        let reply = reach(case).await;
        assert_eq!(reply.outcome, Outcome::ProbeError, "{}", reply.detail);
    }
}

#[tokio::test]
async fn http_is_answered_on_every_port() {
    let fixture = serve();
    let ask = |url: String| HttpRequest {
        method: "POST".to_owned(),
        url,
        headers: std::collections::BTreeMap::new(),
        body: Some("a body".to_owned()),
        timeout_ms: 10_000,
    };
    let nonce = "abcdef0123456789";
    for (port, path) in [(fixture.port, "/extract"), (fixture.decoy, "/partywall/abcdef0123456789")]
    {
        let question = Ask::Http(ask(format!("http://127.0.0.1:{port}{path}")));
        let Reply::Http(reply) = agent("none").answer(question).await else {
            panic!("not an HTTP reply");
        };
        assert_eq!(reply.status, Some(200), "{}", reply.detail);
        assert_eq!(reply.body, format!(r#"{{"pod":"tenant/server-0","path":"{path}"}}"#));
    }
    let nonces: Vec<_> = fixture.receipts().into_iter().map(|r| r.nonce).collect();
    assert_eq!(nonces, [None, Some(nonce.to_owned())]);
}
