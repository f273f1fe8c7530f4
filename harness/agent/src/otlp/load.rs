//! Sending many items, as many requests over a few connections that are kept.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::connection::Connection;
use super::emit::{Export, not_accepted};
use super::message;
use super::settings::Settings;
use crate::http::Place;
use crate::outcome::Ending;
use crate::protocol::{LoadReply, LoadRequest, Outcome, Signal};
use crate::resolve::Resolver;
use crate::{connect, exchange};

/// How often a request is sent before its items count as refused: an exporter tries again as
/// well. Items carry their own time, so that a store which had them takes them for the same.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);
/// Connections of one load at most.
const AT_ONCE_MAX: u16 = 16;

/// Answers [`crate::protocol::Ask::Load`], with the environment as [`super::emit`] reads it.
pub async fn load(
    resolver: &Resolver,
    request: &LoadRequest,
    environment: impl Fn(&str) -> Option<String>,
) -> LoadReply {
    let job = match Job::new(resolver, request, environment).await {
        Ok(job) => Arc::new(job),
        Err(ending) => return Tally::default().reply(Some(ending)),
    };
    let mut workers = JoinSet::new();
    for _ in 0..request.at_once.clamp(1, AT_ONCE_MAX) {
        let job = Arc::clone(&job);
        match request.emit.signal {
            Signal::Log => workers.spawn(work::<ExportLogsServiceRequest>(job, logs)),
            Signal::Metric => workers.spawn(work::<ExportMetricsServiceRequest>(job, metrics)),
        };
    }
    let mut tally = Tally::default();
    while let Some(ended) = workers.join_next().await {
        match ended {
            Ok(of_one) => tally.add(of_one),
            Err(error) => tally.ending = Some(Ending::probe_error(error.to_string())),
        }
    }
    tally.reply(None)
}

fn logs(job: &Job, items: Range<u32>) -> ExportLogsServiceRequest {
    message::logs(&job.request.emit.marker, items, &job.settings.resource, job.begun_ns)
}

/// Every request has a series of its own: within one, points must come in the order of their
/// times, and requests overtake each other.
fn metrics(job: &Job, items: Range<u32>) -> ExportMetricsServiceRequest {
    let now_ms = exchange::now_us() / 1000;
    message::points(&job.request.emit.marker, items, &job.settings.resource, now_ms)
}

/// What the workers of one load share.
struct Job {
    request: LoadRequest,
    settings: Settings,
    place: Place,
    address: SocketAddr,
    deadline: Instant,
    begun_ns: u64,
    next: AtomicU32,
}

impl Job {
    async fn new(
        resolver: &Resolver,
        request: &LoadRequest,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Ending> {
        let settings = Settings::read(&request.emit, environment)
            .map_err(|error| Ending::probe_error(error.to_string()))?;
        let place = Place::parse(&settings.url)?;
        let address = SocketAddr::new(resolver.resolve(&place.host).await?.ip(), place.port);
        let wait = Duration::from_millis(request.emit.timeout_ms);
        let early = request.starts_at_us.saturating_sub(exchange::now_us());
        sleep(Duration::from_micros(early).min(wait)).await;
        Ok(Self {
            request: request.clone(),
            settings,
            place,
            address,
            deadline: Instant::now() + wait,
            begun_ns: exchange::now_us().saturating_mul(1000),
            next: AtomicU32::new(0),
        })
    }

    /// The next items that nobody has taken.
    fn take(&self) -> Option<Range<u32>> {
        let each = self.request.per_request.max(1);
        let from = self.next.fetch_add(1, Ordering::Relaxed).checked_mul(each)?;
        let items = self.request.items;
        (from < items).then(|| from..from.saturating_add(each).min(items))
    }

    /// Send one request until it is taken.
    async fn deliver<E: Export + Clone>(
        &self,
        kept: &mut Option<Connection>,
        message: &E,
        count: u64,
    ) -> Fate {
        let mut last = Fate::unknown("the time was over before it was sent");
        for attempt in 0..TRIES {
            if Instant::now() >= self.deadline {
                break;
            }
            sleep(PAUSE * attempt).await;
            let tried = timeout_at(self.deadline, self.once(kept, message.clone())).await;
            last = match tried {
                Ok(Ok(answer)) => match E::rejected(&answer) {
                    (0, _) => return Fate::Taken,
                    // What is rejected for good must not be sent again.
                    (rejected, reason) => {
                        let told = not_accepted(&format!("{rejected} rejected: {reason}"));
                        let rejected = u64::try_from(rejected).unwrap_or(count).min(count);
                        return Fate::Refused(rejected, told);
                    }
                },
                Ok(Err(ending)) => Fate::Refused(count, ending),
                Err(_) => Fate::unknown("no answer of the collector within the time-out"),
            };
            *kept = None;
        }
        last
    }

    async fn once<E: Export>(
        &self,
        kept: &mut Option<Connection>,
        message: E,
    ) -> Result<E::Answer, Ending> {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => {
                let stream = connect::tcp(self.address, self.deadline).await?;
                Connection::open(stream, self.settings.encoding).await?
            }
        };
        let answer = connection.export(&self.place, &self.settings.headers, message).await?;
        *kept = Some(connection);
        Ok(answer)
    }
}

async fn work<E: Export + Clone>(job: Arc<Job>, make: fn(&Job, Range<u32>) -> E) -> Tally {
    let mut tally = Tally::default();
    let mut kept = None;
    while let Some(items) = job.take() {
        let count = u64::from(items.end.saturating_sub(items.start));
        let message = make(&job, items);
        let first = exchange::now_us();
        tally.first_us = Some(tally.first_us.unwrap_or(first));
        tally.requests += 1;
        let fate = job.deliver(&mut kept, &message, count).await;
        let (answered, refused, ending) = match fate {
            Fate::Taken => (count, 0, None),
            Fate::Refused(refused, ending) => (count, refused, Some(ending)),
            Fate::Unknown(ending) => (0, 0, Some(ending)),
        };
        tally.sent += answered;
        tally.accepted += answered.saturating_sub(refused);
        tally.ending = tally.ending.take().or(ending);
        tally.last_us = exchange::now_us();
    }
    tally
}

/// What became of one request.
enum Fate {
    Taken,
    /// How many of its items were not taken, and why.
    Refused(u64, Ending),
    /// Nobody said yes or no in time: its items may have arrived.
    Unknown(Ending),
}

impl Fate {
    fn unknown(detail: &str) -> Self {
        Self::Unknown(not_accepted(detail))
    }
}

/// What became of a worker's requests.
#[derive(Default)]
struct Tally {
    sent: u64,
    accepted: u64,
    requests: u64,
    first_us: Option<u64>,
    last_us: u64,
    /// Of the first request that was not taken.
    ending: Option<Ending>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.accepted += other.accepted;
        self.requests += other.requests;
        self.first_us = self.first_us.into_iter().chain(other.first_us).min();
        self.last_us = self.last_us.max(other.last_us);
        self.ending = self.ending.take().or(other.ending);
    }

    fn reply(self, ending: Option<Ending>) -> LoadReply {
        let ending = ending.or(self.ending);
        let (outcome, detail) = ending
            .map_or((Outcome::Reached, String::new()), |ending| (ending.outcome, ending.detail));
        LoadReply {
            sent: self.sent,
            accepted: self.accepted,
            requests: self.requests,
            outcome,
            detail,
            first_us: self.first_us.unwrap_or_default(),
            last_us: self.last_us,
        }
    }
}
