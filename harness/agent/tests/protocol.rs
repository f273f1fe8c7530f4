//! The lines of the protocol, as they are on the wire. A change here is a change of
//! [`PROTOCOL_VERSION`].

use std::collections::BTreeMap;

use partywall_agent::protocol::{
    Ask, Command, DnsAnswer, DnsQuestion, DnsRecord, DnsReply, DnsRequest, EmitReply, EmitRequest,
    HttpReply, HttpRequest, Listening, Message, Outcome, PROTOCOL_VERSION, PaceRequest, PaceTarget,
    ReachReply, ReachRequest, Receipt, Reply, Sample, Signal, Speak, Tallied, Transport,
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
            organisation: Some(vec![("X-Scope-OrgID".to_owned(), "b".to_owned())]),
            attributes: BTreeMap::new(),
            timeout_ms: 500,
        }),
        Ask::Http(HttpRequest {
            method: "GET".to_owned(),
            url: "http://loki:3100/ready".to_owned(),
            headers: BTreeMap::from([("X-Scope-OrgID".to_owned(), "a".to_owned())]),
            body: None,
            timeout_ms: 500,
        }),
        Ask::Pace(PaceRequest {
            targets: vec![PaceTarget {
                target: "10.244.0.7".to_owned(),
                port: 8000,
                transport: Transport::Udp,
                prefix: "p0123456789abcdef".to_owned(),
                steady: true,
            }],
            per_second: 50,
            lasts_ms: 60_000,
            timeout_ms: 1000,
            chunk_ms: 500,
        }),
        Ask::PaceEnd,
        Ask::Tally { prefixes: vec!["p0123456789abcdef".to_owned()], has_last: true },
        Ask::OwnPace,
        Ask::Dns(DnsRequest {
            server: Some("10.96.0.10:53".to_owned()),
            questions: vec![DnsQuestion {
                name: "n1.partywall.test".to_owned(),
                record: DnsRecord::Txt,
            }],
            at_once: 32,
            timeout_ms: 2000,
        }),
    ];
    let commands: Vec<_> = (1..).zip(asks).map(|(id, ask)| Command { id, ask }).collect();
    insta::assert_snapshot!(lines(&commands));
}

#[test]
fn messages_keep_their_shape() {
    let sample =
        Sample { target: 0, number: 3, at_us: 1, elapsed_us: 2, outcome: Outcome::Reached };
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
        Reply::Paced { probes: 7 },
        Reply::PaceEnded { paces: 1 },
        Reply::Tally(vec![Tallied {
            prefix: "p0123456789abcdef".to_owned(),
            arrivals: vec![(0, 1), (1, 2)],
            lost: 0,
        }]),
        Reply::OwnPace(vec![sample]),
        Reply::Dns(DnsReply {
            server: "10.96.0.10:53".to_owned(),
            answers: vec![DnsAnswer {
                outcome: Outcome::Reached,
                detail: "No Error".to_owned(),
                records: vec!["PARTYWALL n1".to_owned()],
                text_bytes: 512,
            }],
            elapsed_us: 3,
        }),
        Reply::Failed { detail: "why".to_owned() },
    ];
    let mut messages =
        vec![Message::Hello { protocol: PROTOCOL_VERSION, pod: "tenant/web-0".to_owned() }];
    messages.extend((1..).zip(replies).map(|(id, reply)| Message::Reply { id, reply }));
    messages.push(Message::Samples { id: 7, samples: vec![sample] });
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
    let speaks = [Speak::Nonce, Speak::Connect, Speak::Dns, Speak::Lookup, Speak::Https];
    let signals = [Signal::Log, Signal::Metric];
    let transports = [Transport::Tcp, Transport::Udp, Transport::Sctp];
    let words = [lines(&outcomes), lines(&speaks), lines(&signals), lines(&transports)].join("\n");
    insta::assert_snapshot!(words.replace('\n', " "), @r#""reached" "refused" "dropped" "unresolved" "probe-error" "nonce" "connect" "dns" "lookup" "https" "log" "metric" "TCP" "UDP" "SCTP""#);
}
