//! Starting and running a server.

use std::sync::Arc;

use tokio::net::UnixListener;
use tokio::task::JoinSet;

use super::config::{Config, ServeError};
use super::datagram::Datagrams;
use super::door::Door;
use super::place::Place;
use super::shared::Shared;
use crate::control;
use crate::pace::Samples;
use crate::protocol::{Ask, Reply};

/// How often a port of the kernel's choice is tried until it is free on UDP as well.
const ANY_PORT_TRIES: usize = 16;

/// A server that listens. It ends when it is dropped.
pub struct Server {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

impl Server {
    /// Listens on every port, TCP, UDP and (where the kernel has it) SCTP, and on the control
    /// socket.
    pub fn start(config: &Config) -> Result<Self, ServeError> {
        Self::start_with(config, Arc::default())
    }

    /// The same, in a process that keeps the samples of a pace of its own.
    pub fn start_with(config: &Config, own_pace: Arc<Samples>) -> Result<Self, ServeError> {
        let mut doors = Vec::new();
        let mut datagrams = Vec::new();
        for place in config.places()? {
            let (door, datagram) = open(place)?;
            // SCTP takes the number that TCP was given; it is a space of its own.
            doors.extend(Door::open_sctp(Place { port: door.port, ..place })?);
            doors.push(door);
            datagrams.push(datagram);
        }
        let control = control::listen(&config.control)
            .map_err(|source| ServeError::Control { name: config.control.clone(), source })?;
        let shared = Arc::new(Shared::new(config, doors, datagrams, own_pace));
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

fn open(place: Place) -> Result<(Door, Datagrams), ServeError> {
    let mut tries = if place.port == 0 { ANY_PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        let door = Door::open(place)?;
        match Datagrams::open(Place { port: door.port, ..place }) {
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
