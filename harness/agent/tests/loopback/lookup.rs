//! The agent as an authority of its own zone, and as one who asks name servers.

use partywall_agent::protocol::{
    Ask, DnsQuestion, DnsRecord, DnsReply, DnsRequest, Outcome, Reply, Speak, Transport,
};

use crate::support::{agent, reach, request, serve};

#[tokio::test]
async fn a_lookup_leaves_its_nonce_and_brings_it_back() {
    let fixture = serve();
    for transport in [Transport::Udp, Transport::Tcp] {
        let request = request(transport, Speak::Lookup, fixture.port);
        let nonce = request.nonce.clone();
        let reply = reach(request).await;
        assert_eq!(reply.outcome, Outcome::Reached, "{}", reply.detail);
        assert!(reply.echoed, "{}", reply.detail);
        assert_eq!(reply.answered_by.as_deref(), Some("tenant/server-0"));
        let receipts = fixture.receipts();
        let receipt = receipts.iter().find(|receipt| receipt.nonce.as_deref() == Some(&nonce));
        let receipt = receipt.expect("an answer has a receipt");
        assert_eq!((receipt.transport, receipt.port), (transport, fixture.port));
    }
}

async fn ask(port: u16, names: &[&str], record: DnsRecord) -> DnsReply {
    let question = |name: &&str| DnsQuestion { name: (*name).to_owned(), record };
    let request = DnsRequest {
        server: Some(format!("127.0.0.1:{port}")),
        questions: names.iter().map(question).collect(),
        at_once: 4,
        timeout_ms: 2000,
    };
    match agent("none").answer(Ask::Dns(request)).await {
        Reply::Dns(reply) => reply,
        other => panic!("not a DNS reply: {other:?}"),
    }
}

#[tokio::test]
async fn what_a_name_carries_arrives_and_something_comes_back() {
    let fixture = serve();
    let names = ["bG9hZA.first1.partywall.test", "second2.partywall.test"];
    let reply = ask(fixture.port, &names, DnsRecord::Txt).await;
    assert_eq!(reply.server, format!("127.0.0.1:{}", fixture.port));
    assert_eq!(reply.answers[0].outcome, Outcome::Reached, "{:?}", reply.answers);
    assert!(reply.answers[0].text_bytes > 400, "{:?}", reply.answers);
    assert!(reply.answers[1].records[0].contains("second2"), "{:?}", reply.answers);
    let receipts = fixture.receipts();
    let nonces: Vec<_> = receipts.iter().filter_map(|receipt| receipt.nonce.as_deref()).collect();
    assert!(nonces.contains(&"first1") && nonces.contains(&"second2"), "{nonces:?}");
}

#[tokio::test]
async fn a_name_server_that_is_silent_is_told_as_dropped() {
    let fixture = serve();
    // The agent answers for its own zone alone.
    let reply = ask(fixture.port, &["kubernetes.default"], DnsRecord::A).await;
    assert_eq!(reply.answers[0].outcome, Outcome::Dropped);
}
