//! Probes that all go over one connection, or one socket: what a wall does to talk that was
//! under way before it stood.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::run::Ended;
use crate::protocol::{Outcome, PaceTarget, Transport};
use crate::{connect, exchange};

const DATAGRAM_LENGTH_MAX: usize = 2048;

/// Who waits for the answer to which nonce.
#[derive(Default)]
struct Waiting {
    answers: HashMap<String, oneshot::Sender<()>>,
    /// Set once the connection has ended: nothing is answered any more.
    ended: Option<Outcome>,
}

/// One flow and the probes on it.
pub(super) struct Steady {
    prefix: String,
    timeout: Duration,
    lines: mpsc::UnboundedSender<String>,
    waiting: Arc<Mutex<Waiting>>,
    /// Ends the flow with this value.
    _flow: JoinSet<()>,
}

impl Steady {
    /// Opens the flow.
    pub fn new(target: &PaceTarget, timeout: Duration) -> Self {
        let (lines, queue) = mpsc::unbounded_channel();
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let flow = Flow { target: target.clone(), timeout, waiting: Arc::clone(&waiting) };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let outcome = flow.run(queue).await;
            let mut waiting = lock(&flow.waiting);
            waiting.ended = Some(outcome);
            waiting.answers.clear();
        });
        Self { prefix: target.prefix.clone(), timeout, lines, waiting, _flow: tasks }
    }

    /// Puts the probe of this number.
    pub fn put(&self, number: u64, probes: &mut JoinSet<Ended>) {
        let nonce = exchange::paced(&self.prefix, number);
        let (answer, answered) = oneshot::channel();
        let ended = {
            let mut waiting = lock(&self.waiting);
            if waiting.ended.is_none() {
                waiting.answers.insert(nonce.clone(), answer);
            }
            waiting.ended
        };
        let at_us = exchange::now_us();
        // Where nobody takes the line any more, `ended` says so.
        drop(self.lines.send(nonce.clone()));
        let (waiting, timeout) = (Arc::clone(&self.waiting), self.timeout);
        probes.spawn(async move {
            let begun = Instant::now();
            let outcome = match ended {
                Some(outcome) => outcome,
                None => match timeout_at(begun + timeout, answered).await {
                    Ok(Ok(())) => Outcome::Reached,
                    Ok(Err(_)) => lock(&waiting).ended.unwrap_or(Outcome::ProbeError),
                    Err(_) => Outcome::Dropped,
                },
            };
            lock(&waiting).answers.remove(&nonce);
            let elapsed_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            Ended { number, at_us, elapsed_us, outcome }
        });
    }
}

struct Flow {
    target: PaceTarget,
    timeout: Duration,
    waiting: Arc<Mutex<Waiting>>,
}

impl Flow {
    /// Runs until the flow breaks, and tells how.
    async fn run(&self, queue: mpsc::UnboundedReceiver<String>) -> Outcome {
        let Ok(ip) = self.target.target.parse::<IpAddr>() else {
            // A name could become another address in the middle.
            return Outcome::Unresolved;
        };
        let address = SocketAddr::new(ip, self.target.port);
        match self.target.transport {
            Transport::Tcp => self.tcp(address, queue).await,
            Transport::Udp => self.udp(address, queue).await,
            // Nobody keeps an association open for a measurement yet.
            Transport::Sctp => Outcome::ProbeError,
        }
    }

    async fn tcp(
        &self,
        address: SocketAddr,
        mut queue: mpsc::UnboundedReceiver<String>,
    ) -> Outcome {
        let stream = match connect::tcp(address, Instant::now() + self.timeout).await {
            Ok(stream) => stream,
            Err(ending) => return ending.outcome,
        };
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        let mut is_first = true;
        loop {
            tokio::select! {
                nonce = queue.recv() => {
                    let Some(nonce) = nonce else { return Outcome::Dropped };
                    let line = if is_first {
                        exchange::request_to_stay(&nonce)
                    } else {
                        exchange::request(&nonce)
                    };
                    is_first = false;
                    if writer.write_all(line.as_bytes()).await.is_err() {
                        return Outcome::Refused;
                    }
                }
                line = lines.next_line() => match line {
                    Ok(Some(line)) => self.answered(line.as_bytes()),
                    Ok(None) | Err(_) => return Outcome::Refused,
                },
            }
        }
    }

    async fn udp(
        &self,
        address: SocketAddr,
        mut queue: mpsc::UnboundedReceiver<String>,
    ) -> Outcome {
        let socket: UdpSocket = match connect::udp(address) {
            Ok(socket) => socket,
            Err(ending) => return ending.outcome,
        };
        let mut buffer = vec![0; DATAGRAM_LENGTH_MAX];
        loop {
            tokio::select! {
                nonce = queue.recv() => {
                    let Some(nonce) = nonce else { return Outcome::Dropped };
                    // What cannot be sent is not answered, and its time-out says so.
                    drop(socket.send(exchange::request(&nonce).as_bytes()).await);
                }
                // An ICMP error is of one datagram; the flow goes on.
                received = socket.recv(&mut buffer) => {
                    if let Ok(length) = received {
                        self.answered(&buffer[..length]);
                    }
                }
            }
        }
    }

    fn answered(&self, line: &[u8]) {
        if let Some((nonce, _pod)) = exchange::parse_answer(line)
            && let Some(answer) = lock(&self.waiting).answers.remove(&nonce)
        {
            // Its probe may have been given up in this very moment.
            let _given_up = answer.send(());
        }
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
