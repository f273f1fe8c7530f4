//! Starting and running a server.

use std::sync::Arc;

use tokio::net::UnixListener;
use tokio::task::JoinSet;

use super::config::{Config, ServeError};
use super::datagram::Datagrams;
use super::door::Door;
use super::shared::Shared;
use crate::control;
use crate::protocol::{Ask, Reply};

/// How often a port of the kernel's choice is tried until it is free on UDP as well.
const ANY_PORT_TRIES: usize = 16;

/// A server that listens. It ends when it is dropped.
pub struct Server {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

impl Server {
    /// Listens on every port, TCP and UDP, and on the control socket.
    pub fn start(config: &Config) -> Result<Self, ServeError> {
        let mut doors = Vec::new();
        let mut datagrams = Vec::new();
        for (port, decoy) in config.ports()? {
            let (door, datagram) = open(port, decoy)?;
            doors.push(door);
            datagrams.push(datagram);
        }
        let control = control::listen(&config.control)
            .map_err(|source| ServeError::Control { name: config.control.clone(), source })?;
        let shared = Arc::new(Shared::new(config, doors, datagrams));
        let tasks = run(&shared, control);
        Ok(Self { shared, tasks })
    }

    /// Answers a question as the control socket would.
    pub fn answer(&self, question: Ask) -> Reply {
        self.shared.answer(question)
    }

    /// Runs until it is dropped: the tasks of a server do not end by themselves.
    pub async fn run(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

fn open(port: u16, decoy: bool) -> Result<(Door, Datagrams), ServeError> {
    let mut tries = if port == 0 { ANY_PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        let door = Door::open(port, decoy)?;
        match Datagrams::open(door.port, decoy) {
            Ok(datagrams) => return Ok((door, datagrams)),
            Err(error) if tries == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

fn run(shared: &Arc<Shared>, control: UnixListener) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for index in 0..shared.doors.len() {
        let shared = Arc::clone(shared);
        tasks.spawn(async move { shared.doors[index].run(&shared).await });
    }
    for index in 0..shared.datagrams.len() {
        let shared = Arc::clone(shared);
        tasks.spawn(async move { shared.datagrams[index].run(&shared).await });
    }
    let shared = Arc::clone(shared);
    tasks.spawn(async move {
        loop {
            let Ok((stream, _)) = control.accept().await else {
                tokio::task::yield_now().await;
                continue;
            };
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                // The asker sees the broken connection itself.
                drop(control::serve_one(stream, |question| shared.answer(question)).await);
            });
        }
    });
    tasks
}
