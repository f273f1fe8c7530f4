//! Servers and agents to test with.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use partywall_agent::ask::Agent;
use partywall_agent::protocol::{Ask, ReachReply, ReachRequest, Receipt, Reply, Speak, Transport};
use partywall_agent::resolve::Resolver;
use partywall_agent::server::{Config, Server};

/// Long enough for a busy machine to answer; nothing waits that long where all is well.
pub const PATIENT_MS: u64 = 10_000;
/// For what must end without an answer.
pub const SHORT_MS: u64 = 300;

/// A server on ports of the kernel's choice.
pub struct Fixture {
    pub server: Server,
    /// A declared port, for TCP and UDP.
    pub port: u16,
    pub decoy: u16,
    pub control: String,
}

pub fn serve() -> Fixture {
    let control = unique("control");
    let config = Config {
        listen: vec![0],
        decoy: vec![0],
        addresses: Vec::new(),
        control: control.clone(),
        pod: "tenant/server-0".to_owned(),
        environment: BTreeMap::from([
            ("POD_NAME".to_owned(), "server-0".to_owned()),
            ("DATABASE_PASSWORD".to_owned(), "secret".to_owned()),
        ]),
    };
    let server = Server::start(&config).expect("the loopback has free ports");
    let Reply::Listening(listening) = server.answer(Ask::Listening) else {
        panic!("a server knows its ports");
    };
    let find = |decoy| {
        let tcp = listening.iter().find(|l| l.decoy == decoy && l.transport == Transport::Tcp);
        tcp.expect("both kinds were asked for").port
    };
    let (port, decoy) = (find(false), find(true));
    Fixture { server, port, decoy, control }
}

impl Fixture {
    pub fn receipts(&self) -> Vec<Receipt> {
        let all = Ask::Receipts { nonces: Vec::new() };
        match self.server.answer(all) {
            Reply::Receipts(receipts) => receipts,
            other => panic!("no receipts: {other:?}"),
        }
    }
}

/// A word that no other test of this machine uses.
pub fn unique(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{what}{}x{count}", std::process::id())
}

pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

pub fn request(transport: Transport, speak: Speak, port: u16) -> ReachRequest {
    ReachRequest {
        target: "127.0.0.1".to_owned(),
        port,
        transport,
        speak,
        nonce: unique("nonce"),
        timeout_ms: PATIENT_MS,
    }
}

pub fn agent(control: &str) -> Agent {
    // No server of this machine is ever asked.
    let resolver = Resolver::with_servers(&[], &[], 1);
    Agent::new(control.to_owned(), "tenant/client-0".to_owned(), 64).with_resolver(resolver)
}

pub async fn reach(request: ReachRequest) -> ReachReply {
    match agent("none").answer(Ask::Reach(request)).await {
        Reply::Reach(reply) => reply,
        other => panic!("not a reach reply: {other:?}"),
    }
}
