//! Probes at a steady rate.

use std::sync::Arc;
use std::time::{Duration, Instant};

use partywall_agent::ask;
use partywall_agent::protocol::{
    Ask, Command, Message, Outcome, PaceRequest, PaceTarget, Reply, Sample, Tallied, Transport,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, duplex};
use tokio::net::UdpSocket;

use crate::support::{Fixture, SHORT_MS, agent, loopback, serve};

const FIRST: &str = "p0000000000000001";
const SECOND: &str = "p0000000000000002";

fn target(port: u16, transport: Transport, prefix: &str) -> PaceTarget {
    let (target, prefix) = ("127.0.0.1".to_owned(), prefix.to_owned());
    PaceTarget { target, port, transport, prefix, steady: false }
}

fn pace(targets: Vec<PaceTarget>, lasts_ms: u64) -> Ask {
    Ask::Pace(PaceRequest {
        targets,
        per_second: 50,
        lasts_ms,
        timeout_ms: SHORT_MS,
        chunk_ms: 100,
    })
}

/// A stream to an agent, one message at a time.
struct Talk {
    input: DuplexStream,
    output: Lines<BufReader<DuplexStream>>,
}

impl Talk {
    fn open(control: &str) -> Self {
        let (input, input_theirs) = duplex(64 * 1024);
        let (output, output_theirs) = duplex(64 * 1024);
        let agent = Arc::new(agent(control));
        tokio::spawn(ask::run(agent, BufReader::new(input_theirs), output_theirs));
        Self { input, output: BufReader::new(output).lines() }
    }

    async fn say(&mut self, id: u64, ask: Ask) {
        let line = serde_json::to_string(&Command { id, ask }).expect("JSON") + "\n";
        self.input.write_all(line.as_bytes()).await.expect("the agent reads");
    }

    async fn hear(&mut self) -> Message {
        let line = self.output.next_line().await.expect("the agent writes");
        serde_json::from_str(&line.expect("it is not done")).expect("one message a line")
    }

    /// Samples until the reply of this number, and in how many chunks they came.
    async fn samples(&mut self, wanted: u64) -> (Vec<Sample>, usize, Reply) {
        let (mut all, mut chunks) = (Vec::new(), 0);
        loop {
            match self.hear().await {
                Message::Samples { samples, .. } => {
                    all.extend(samples);
                    chunks += 1;
                }
                Message::Reply { id, reply } if id == wanted => return (all, chunks, reply),
                Message::Reply { .. } | Message::Hello { .. } => {}
                Message::Done { .. } => panic!("done before the answer"),
            }
        }
    }
}

fn tally(fixture: &Fixture, has_last: bool) -> Vec<Tallied> {
    let prefixes = vec![FIRST.to_owned(), SECOND.to_owned()];
    match fixture.server.answer(Ask::Tally { prefixes, has_last }) {
        Reply::Tally(tallied) => tallied,
        other => panic!("no tally: {other:?}"),
    }
}

fn numbers(samples: &[Sample], target: u32) -> Vec<u64> {
    let mut numbers: Vec<u64> =
        samples.iter().filter(|sample| sample.target == target).map(|s| s.number).collect();
    numbers.sort_unstable();
    numbers
}

#[tokio::test]
async fn an_unanswered_probe_holds_up_no_other() {
    let fixture = serve();
    let silent = UdpSocket::bind(loopback(0)).await.expect("a free port");
    let silent_port = silent.local_addr().expect("it is bound").port();
    let targets = vec![
        target(fixture.port, Transport::Tcp, FIRST),
        target(silent_port, Transport::Udp, SECOND),
    ];
    let mut talk = Talk::open(&fixture.control);
    let begun = Instant::now();
    talk.say(1, pace(targets, 1000)).await;
    let (samples, chunks, reply) = talk.samples(1).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(chunks > 1, "a stream that dies must not lose everything");
    let (answered, silent) = (numbers(&samples, 0), numbers(&samples, 1));
    // A busy machine may be late for many, which then stay out; a lane in which each probe waited
    // for the one before would have a handful.
    let few = 2 * 1000 / SHORT_MS as usize;
    assert!(answered.len() > few && silent.len() > few, "{answered:?} {silent:?}");
    assert!(answered.iter().chain(&silent).all(|number| *number < 50));
    assert_eq!(reply, Reply::Paced { probes: samples.len() as u64 });
    for sample in &samples {
        let expected = if sample.target == 0 { Outcome::Reached } else { Outcome::Dropped };
        assert_eq!(sample.outcome, expected, "{sample:?}");
    }
}

#[tokio::test]
async fn a_server_tallies_a_pace_and_writes_no_receipts_of_it() {
    let fixture = serve();
    let targets = vec![
        target(fixture.port, Transport::Tcp, FIRST),
        target(fixture.decoy, Transport::Udp, SECOND),
    ];
    let mut talk = Talk::open(&fixture.control);
    talk.say(1, pace(targets, 300)).await;
    let (samples, _, _) = talk.samples(1).await;
    talk.say(2, Ask::Tally { prefixes: vec![FIRST.to_owned()], has_last: false }).await;
    let (_, _, reply) = talk.samples(2).await;
    let told = tally(&fixture, false);
    assert_eq!(reply, Reply::Tally(vec![told[0].clone()]));
    for (index, tallied) in (0..).zip(&told) {
        let mut arrived: Vec<u64> = tallied.arrivals.iter().map(|(number, _)| *number).collect();
        arrived.sort_unstable();
        assert_eq!(arrived, numbers(&samples, index));
        assert_eq!(tallied.lost, 0);
    }
    assert!(tally(&fixture, true).iter().all(|tallied| tallied.arrivals.is_empty()));
    assert!(fixture.receipts().is_empty());
}

#[tokio::test]
async fn a_pace_ends_when_it_is_told_to() {
    let fixture = serve();
    let targets = vec![target(fixture.port, Transport::Tcp, FIRST)];
    let mut talk = Talk::open(&fixture.control);
    talk.say(1, pace(targets.clone(), 3_600_000)).await;
    while !matches!(talk.hear().await, Message::Samples { .. }) {}
    talk.say(2, Ask::PaceEnd).await;
    let (_, _, reply) = talk.samples(1).await;
    assert!(matches!(reply, Reply::Paced { probes: 1.. }), "{reply:?}");
    // The end of the input ends it too.
    talk.say(3, pace(targets, 3_600_000)).await;
    while !matches!(talk.hear().await, Message::Samples { .. }) {}
    talk.input.shutdown().await.expect("the agent reads");
    let (_, _, reply) = talk.samples(3).await;
    assert!(matches!(reply, Reply::Paced { probes: 1.. }), "{reply:?}");
    assert_eq!(talk.hear().await, Message::Done { commands: 3 });
}

#[tokio::test]
async fn a_steady_pace_is_one_connection() {
    let fixture = serve();
    let steady =
        |transport, prefix| PaceTarget { steady: true, ..target(fixture.port, transport, prefix) };
    let targets = vec![steady(Transport::Tcp, FIRST), steady(Transport::Udp, SECOND)];
    let mut talk = Talk::open(&fixture.control);
    talk.say(1, pace(targets, 500)).await;
    let (samples, _, _) = talk.samples(1).await;
    assert!(samples.len() >= 25, "{samples:?}");
    assert!(samples.iter().all(|sample| sample.outcome == Outcome::Reached), "{samples:?}");
    for (index, tallied) in (0..).zip(tally(&fixture, false)) {
        assert_eq!(tallied.arrivals.len(), numbers(&samples, index).len());
    }
}

#[tokio::test]
async fn a_steady_pace_to_a_closed_port_is_refused() {
    let closed = loopback(1);
    let mut steady = target(closed.port(), Transport::Tcp, FIRST);
    steady.steady = true;
    let mut talk = Talk::open("none");
    talk.say(1, pace(vec![steady], 200)).await;
    let (samples, _, _) = talk.samples(1).await;
    assert!(!samples.is_empty());
    assert!(samples.iter().all(|sample| sample.outcome == Outcome::Refused), "{samples:?}");
}

#[tokio::test]
async fn a_pace_that_cannot_be_is_refused() {
    let mut talk = Talk::open("none");
    talk.say(1, pace(vec![target(1, Transport::Tcp, "x")], 200)).await;
    let (_, _, reply) = talk.samples(1).await;
    let Reply::Failed { detail } = reply else { panic!("not refused: {reply:?}") };
    assert!(detail.contains("`x` is no prefix"), "{detail}");
}
