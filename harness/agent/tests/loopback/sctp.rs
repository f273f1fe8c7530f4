//! SCTP, where this machine's kernel has it; and what is said where it has not.

use partywall_agent::protocol::{Ask, Outcome, Reply, Speak, Transport};

use crate::support::{reach, request, serve};

#[tokio::test]
async fn an_association_leaves_its_nonce_or_the_kernel_has_none() {
    let fixture = serve();
    let Reply::Listening(listening) = fixture.server.answer(Ask::Listening) else {
        panic!("a server knows its ports");
    };
    let request = request(Transport::Sctp, Speak::Nonce, fixture.port);
    let nonce = request.nonce.clone();
    let reply = reach(request).await;
    if listening.iter().any(|one| one.transport == Transport::Sctp) {
        assert_eq!(reply.outcome, Outcome::Reached, "{}", reply.detail);
        assert!(reply.echoed);
        let receipts = fixture.receipts();
        let receipt = receipts.iter().find(|receipt| receipt.nonce.as_deref() == Some(&nonce));
        assert_eq!(receipt.map(|receipt| receipt.transport), Some(Transport::Sctp));
    } else {
        assert_eq!(reply.outcome, Outcome::ProbeError);
        assert!(reply.detail.contains("not supported"), "{}", reply.detail);
    }
}

#[tokio::test]
async fn there_is_no_name_service_over_sctp() {
    let reply = reach(request(Transport::Sctp, Speak::Lookup, 53)).await;
    assert_eq!(reply.outcome, Outcome::ProbeError);
}
