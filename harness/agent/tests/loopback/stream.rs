//! `ask` over pipes, beside a server in this process.

use std::sync::Arc;

use partywall_agent::ask::{self, AskError, LINE_LENGTH_MAX};
use partywall_agent::protocol::{
    Ask, Command, Message, Outcome, PROTOCOL_VERSION, Reply, Speak, Transport,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, duplex};
use tokio::net::UdpSocket;

use crate::support::{SHORT_MS, agent, loopback, request, serve};

/// Runs `ask` over this input until it ends.
async fn converse(control: &str, input: Vec<u8>) -> (Result<u64, AskError>, Vec<Message>) {
    let (ours, theirs) = duplex(64 * 1024);
    let (input_ours, input_theirs) = duplex(64 * 1024);
    let agent = Arc::new(agent(control));
    let run = tokio::spawn(ask::run(agent, BufReader::new(input_theirs), theirs));
    let write = async move {
        let mut input_ours = input_ours;
        // It may be told to stop before the end.
        drop(input_ours.write_all(&input).await);
        drop(input_ours);
    };
    let read = async move {
        let mut ours = ours;
        let mut text = String::new();
        ours.read_to_string(&mut text).await.expect("UTF-8");
        text
    };
    let ((), text) = tokio::join!(write, read);
    let parse = |line| serde_json::from_str(line).expect("one message a line");
    (run.await.expect("no panic"), text.lines().map(parse).collect())
}

fn lines(commands: &[Command]) -> Vec<u8> {
    let line = |command| serde_json::to_string(command).expect("JSON") + "\n";
    commands.iter().map(line).collect::<String>().into_bytes()
}

fn ids(messages: &[Message]) -> Vec<u64> {
    let id = |message: &Message| match message {
        Message::Reply { id, .. } => Some(*id),
        Message::Hello { .. } | Message::Samples { .. } | Message::Done { .. } => None,
    };
    messages.iter().filter_map(id).collect()
}

#[tokio::test]
async fn every_command_is_answered_between_hello_and_done() {
    let fixture = serve();
    let commands: Vec<_> = (0..200)
        .map(|id| {
            let transport = if id % 2 == 0 { Transport::Tcp } else { Transport::Udp };
            let ask = Ask::Reach(request(transport, Speak::Nonce, fixture.port));
            Command { id, ask }
        })
        .collect();
    let (ended, messages) = converse(&fixture.control, lines(&commands)).await;
    assert_eq!(ended.expect("a whole stream"), 200);
    let hello = Message::Hello { protocol: PROTOCOL_VERSION, pod: "tenant/client-0".to_owned() };
    assert_eq!(messages.first(), Some(&hello));
    assert_eq!(messages.last(), Some(&Message::Done { commands: 200 }));
    let mut answered = ids(&messages);
    answered.sort_unstable();
    assert_eq!(answered, (0..200).collect::<Vec<_>>());
    assert_eq!(fixture.receipts().len(), 200);
}

#[tokio::test]
async fn a_slow_command_holds_up_no_other() {
    let fixture = serve();
    let silent = UdpSocket::bind(loopback(0)).await.expect("a free port");
    let port = silent.local_addr().expect("it is bound").port();
    let mut slow = request(Transport::Udp, Speak::Nonce, port);
    slow.timeout_ms = SHORT_MS;
    let commands =
        [Command { id: 1, ask: Ask::Reach(slow) }, Command { id: 2, ask: Ask::Listening }];
    let (_, messages) = converse(&fixture.control, lines(&commands)).await;
    assert_eq!(ids(&messages), [2, 1]);
    let Message::Reply { reply: Reply::Reach(reply), .. } = &messages[2] else {
        panic!("not a reach reply: {:?}", messages[2]);
    };
    assert_eq!(reply.outcome, Outcome::Dropped);
}

#[tokio::test]
async fn a_line_that_is_not_understood_is_answered_by_its_number() {
    let input = b"{\"id\":7,\"ask\":\"future-question\"}\nnot json\n\n".to_vec();
    let (ended, messages) = converse("none", input).await;
    assert_eq!(ended.expect("a whole stream"), 2);
    assert_eq!(ids(&messages), [7, ask::NO_NUMBER]);
    assert_eq!(messages.last(), Some(&Message::Done { commands: 2 }));
}

#[tokio::test]
async fn a_stream_that_breaks_has_no_done() {
    let mut input = lines(&[Command { id: 1, ask: Ask::Listening }]);
    input.extend(std::iter::repeat_n(b'x', LINE_LENGTH_MAX + 1));
    let (ended, messages) = converse("none", input).await;
    assert!(matches!(ended, Err(AskError::LineTooLong)), "{ended:?}");
    let is_done = |message: &Message| matches!(message, Message::Done { .. });
    assert!(!messages.iter().any(is_done), "{messages:?}");
}

#[tokio::test]
async fn an_answer_that_does_not_fit_a_line_is_not_cut() {
    let fixture = serve();
    let socket = UdpSocket::bind(loopback(0)).await.expect("a free port");
    for index in 0..12_000 {
        let line = format!("PARTYWALL n{index}\n");
        socket.send_to(line.as_bytes(), loopback(fixture.port)).await.expect("the loopback");
        if index % 100 == 0 {
            assert!(!fixture.receipts().is_empty());
        }
    }
    let all = Command { id: 3, ask: Ask::Receipts { nonces: Vec::new() } };
    let (_, messages) = converse(&fixture.control, lines(&[all])).await;
    let Message::Reply { id: 3, reply: Reply::Failed { detail } } = &messages[1] else {
        panic!("absence was claimed");
    };
    assert!(detail.contains("name fewer nonces"), "{detail}");
}
