//! What the parts of a server have in common, and the fence that goes through all of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpStream;

use super::book::{Book, Number};
use super::config::Config;
use super::connection::Connection;
use super::datagram::Datagrams;
use super::door::Door;
use super::kernel;
use super::tally::Tallies;
use crate::exchange;
use crate::pace::Samples;
use crate::protocol::{Ask, Listening, Reply, Transport};

/// Told among the environment: when this server started, in microseconds since the Unix epoch.
/// A server that was started again has forgotten its receipts, and who asks for them must know.
pub const STARTED: &str = "PARTYWALL_STARTED_US";

/// A server's state.
pub(super) struct Shared {
    pub pod: String,
    environment: BTreeMap<String, String>,
    listening: Vec<Listening>,
    pub doors: Vec<Door>,
    pub datagrams: Vec<Datagrams>,
    book: Mutex<Book>,
    tallies: Mutex<Tallies>,
    /// Of the pace that the server began at its first instruction, if it did.
    own_pace: Arc<Samples>,
    /// Connections whose first line has not come yet.
    waiting: Mutex<HashMap<Number, Arc<Connection>>>,
}

impl Shared {
    pub fn new(
        config: &Config,
        doors: Vec<Door>,
        datagrams: Vec<Datagrams>,
        own_pace: Arc<Samples>,
    ) -> Self {
        let listening = doors
            .iter()
            .map(|door| (door.port, door.transport, door.decoy))
            .chain(datagrams.iter().map(|d| (d.port, Transport::Udp, d.decoy)))
            .map(|(port, transport, decoy)| Listening { port, transport, decoy })
            .collect::<BTreeSet<_>>();
        let mut environment = config.environment.clone();
        environment.insert(STARTED.to_owned(), exchange::now_us().to_string());
        Self {
            pod: config.pod.clone(),
            environment,
            listening: listening.into_iter().collect(),
            doors,
            datagrams,
            book: Mutex::default(),
            tallies: Mutex::default(),
            own_pace,
            waiting: Mutex::default(),
        }
    }

    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes into a receipt the nonce that has come since. A pace's goes to the tallies.
    pub fn name(&self, number: Number, nonce: &str) {
        if self.tally_if_paced(nonce) {
            self.book().take_back(number);
        } else {
            self.book().name(number, nonce);
        }
    }

    /// Tallies a nonce of a pace, and says whether it is one.
    pub fn tally_if_paced(&self, nonce: &str) -> bool {
        let Some((prefix, number)) = exchange::parse_paced(nonce) else {
            return false;
        };
        self.tallies().write(prefix, number, exchange::now_us());
        true
    }

    /// Writes the receipt of a connection at once and lets it speak.
    pub fn admit(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, door: &Door) {
        let number = self.book().write(door.transport, door.port, peer, None);
        let connection = Arc::new(Connection::new(stream, number));
        self.waiting().insert(number, Arc::clone(&connection));
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            connection.hear_first_line(&shared).await;
            shared.waiting().remove(&number);
            connection.answer(&shared).await;
        });
    }

    /// Answers a question that came over the control socket.
    pub fn answer(self: &Arc<Self>, question: Ask) -> Reply {
        match question {
            Ask::Receipts { nonces } => self.receipts(&nonces),
            Ask::Listening => Reply::Listening(self.listening.clone()),
            Ask::Environment { names } => self.environment(&names),
            Ask::Tally { prefixes, has_last } => self.tally(&prefixes, has_last),
            Ask::OwnPace => Reply::OwnPace(self.own_pace.all()),
            Ask::Pace(_)
            | Ask::PaceEnd
            | Ask::Reach(_)
            | Ask::Emit(_)
            | Ask::Load(_)
            | Ask::Http(_)
            | Ask::Dns(_) => {
                Reply::Failed { detail: "the server answers no such question".to_owned() }
            }
        }
    }

    fn receipts(self: &Arc<Self>, nonces: &[String]) -> Reply {
        if let Err(error) = self.fence() {
            return Reply::Failed {
                detail: format!("failed to take in what waits at the ports: {error}"),
            };
        }
        let book = self.book();
        match book.lost() {
            0 => Reply::Receipts(book.read(nonces)),
            lost => Reply::Failed {
                detail: format!(
                    "the book of receipts overflowed and {lost} went out: absence cannot be told \
                     (hint: restart the pod)"
                ),
            },
        }
    }

    fn tally(self: &Arc<Self>, prefixes: &[String], has_last: bool) -> Reply {
        match self.fence() {
            Ok(()) => Reply::Tally(self.tallies().read(prefixes, has_last)),
            Err(error) => Reply::Failed {
                detail: format!("failed to take in what waits at the ports: {error}"),
            },
        }
    }

    /// Takes in everything that the kernel holds for this server: connections that wait to be
    /// accepted, datagrams that wait to be read, and first lines that wait in connections.
    fn fence(self: &Arc<Self>) -> std::io::Result<()> {
        for door in &self.doors {
            door.accept_waiting(self)?;
        }
        for datagrams in &self.datagrams {
            datagrams.take_waiting(self)?;
            let lost = kernel::dropped_datagrams(datagrams.port)?;
            if lost > 0 {
                let port = datagrams.port;
                let reason = format!("the kernel threw away {lost} datagrams for {port}/UDP");
                return Err(std::io::Error::other(reason));
            }
        }
        let waiting: Vec<_> = self.waiting().values().cloned().collect();
        for connection in waiting {
            connection.take_waiting(self);
        }
        Ok(())
    }

    fn environment(&self, names: &[String]) -> Reply {
        if let Some(name) = names.iter().find(|name| !may_be_told(name)) {
            return Reply::Failed { detail: format!("{name}: not a variable that is told") };
        }
        let found = names.iter().filter_map(|name| {
            let value = self.environment.get(name)?;
            Some((name.clone(), value.clone()))
        });
        Reply::Environment(found.collect())
    }

    fn tallies(&self) -> MutexGuard<'_, Tallies> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Number, Arc<Connection>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pod's environment may hold secrets: only what the checks need is told.
fn may_be_told(name: &str) -> bool {
    name.starts_with("OTEL_")
        || name.starts_with("POD_")
        || name.ends_with("_API_URL")
        || name == STARTED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_the_environment_are_not_told() {
        assert!(may_be_told("OTEL_EXPORTER_OTLP_HEADERS"));
        assert!(may_be_told("CONTENT_EXTRACTION_API_URL"));
        assert!(may_be_told("POD_NAME"));
        assert!(!may_be_told("OPENAI_API_KEY"));
        assert!(!may_be_told("DATABASE_URL"));
    }
}
