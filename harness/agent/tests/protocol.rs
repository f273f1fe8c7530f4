//! The lines of the protocol, as they are on the wire. A change here is a change of
//! [`PROTOCOL_VERSION`].

use std::collections::BTreeMap;

use partywall_agent::protocol::{
    Ask, Command, EmitReply, EmitRequest, HttpReply, HttpRequest, Listening, Message, Outcome,
    PROTOCOL_VERSION, ReachReply, ReachRequest, Receipt, Reply, Signal, Speak, Transport,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One JSON line per value, each of which reads back as the value it was.
fn lines<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(values: &[T]) -> String {
    let lines: Vec<String> = values
        .iter()
        .map(|value| {
            let line = serde_json::to_string(value).expect("the protocol is JSON");
            let back: T = serde_json::from_str(&line).expect("the protocol reads itself");
            assert_eq!(&back, value);
            assert!(!line.contains('\n'));
            line
        })
        .collect();
    lines.join("\n")
}

#[test]
fn commands_keep_their_shape() {
    let asks = [
        Ask::Reach(ReachRequest {
            target: "gateway.shared-services.svc".to_owned(),
            port: 8000,
            transport: Transport::Tcp,
            speak: Speak::Nonce,
            nonce: "00112233445566778899aabbccddeeff".to_owned(),
            timeout_ms: 500,
        }),
        Ask::Receipts { nonces: vec!["n1".to_owned()] },
        Ask::Listening,
        Ask::Environment { names: vec!["OTEL_SERVICE_NAME".to_owned()] },
        Ask::Emit(EmitRequest {
            signal: Signal::Metric,
            marker: "marker_1".to_owned(),
            headers: None,
            endpoint: None,
            timeout_ms: 500,
        }),
        Ask::Http(HttpRequest {
            method: "GET".to_owned(),
            url: "http://loki:3100/ready".to_owned(),
            headers: BTreeMap::from([("X-Scope-OrgID".to_owned(), "a".to_owned())]),
            body: None,
            timeout_ms: 500,
        }),
    ];
    let commands: Vec<_> = (1..).zip(asks).map(|(id, ask)| Command { id, ask }).collect();
    insta::assert_snapshot!(lines(&commands));
}

#[test]
fn messages_keep_their_shape() {
    let replies = [
        Reply::Reach(ReachReply {
            outcome: Outcome::ProbeError,
            address: Some("10.96.0.10".to_owned()),
            local_port: Some(40000),
            echoed: false,
            answered_by: Some("tenant/web-0".to_owned()),
            elapsed_us: 1,
            detail: "why".to_owned(),
        }),
        Reply::Receipts(vec![Receipt {
            nonce: None,
            transport: Transport::Udp,
            port: 8000,
            peer: "10.244.0.7:40000".to_owned(),
            at_us: 1,
        }]),
        Reply::Listening(vec![Listening { port: 18080, transport: Transport::Tcp, decoy: true }]),
        Reply::Environment(BTreeMap::from([("POD_NAME".to_owned(), "web-0".to_owned())])),
        Reply::Emit(EmitReply {
            accepted: true,
            outcome: Outcome::Reached,
            endpoint: "http://alloy:4317".to_owned(),
            header_names: vec!["x-scope-orgid".to_owned()],
            detail: "gRPC ok".to_owned(),
        }),
        Reply::Http(HttpReply {
            outcome: Outcome::Dropped,
            status: None,
            body: String::new(),
            detail: "nothing came back".to_owned(),
        }),
        Reply::Failed { detail: "why".to_owned() },
    ];
    let mut messages =
        vec![Message::Hello { protocol: PROTOCOL_VERSION, pod: "tenant/web-0".to_owned() }];
    messages.extend((1..).zip(replies).map(|(id, reply)| Message::Reply { id, reply }));
    messages.push(Message::Done { commands: 7 });
    insta::assert_snapshot!(lines(&messages));
}

#[test]
fn every_word_of_the_protocol_is_known() {
    let outcomes = [
        Outcome::Reached,
        Outcome::Refused,
        Outcome::Dropped,
        Outcome::Unresolved,
        Outcome::ProbeError,
    ];
    let speaks = [Speak::Nonce, Speak::Connect, Speak::Dns, Speak::Https];
    let signals = [Signal::Log, Signal::Metric];
    let words = [lines(&outcomes), lines(&speaks), lines(&signals)].join("\n");
    insta::assert_snapshot!(words.replace('\n', " "), @r#""reached" "refused" "dropped" "unresolved" "probe-error" "nonce" "connect" "dns" "https" "log" "metric""#);
}
