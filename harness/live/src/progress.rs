//! What `up` and `down` say while they work. The command line draws it; a test records it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The steps of `up`, in the order in which they are listed (some run side by side).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Docker, kernel limits, disk.
    Doctor,
    /// The kind cluster.
    Cluster,
    /// The Git server beside it.
    GitServer,
    /// The agent's image in the nodes.
    AgentImage,
    /// Calico and the routes between nodes.
    Cni,
    /// The proof that a deny-all policy bites on every node.
    Canary,
    /// Flux with its lockdown flags.
    Flux,
    /// Fresh age keys.
    Keys,
    /// The layout and its other repositories, pushed.
    Push,
    /// Every object of the pushed commit Ready.
    Reconcile,
}

impl Phase {
    /// The words for a person.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Doctor => "doctor",
            Self::Cluster => "kind cluster",
            Self::GitServer => "git server",
            Self::AgentImage => "agent image",
            Self::Cni => "calico",
            Self::Canary => "enforcement canary",
            Self::Flux => "flux",
            Self::Keys => "age keys",
            Self::Push => "push",
            Self::Reconcile => "reconcile",
        }
    }
}

/// Somebody who wants to know how far it is.
pub trait Progress: Send + Sync {
    /// A step begins.
    fn started(&self, phase: Phase);
    /// A step has something to say while it runs.
    fn says(&self, phase: Phase, text: &str);
    /// A step ended well.
    fn finished(&self, phase: Phase, took: Duration);
    /// A step ended badly; the error comes back from the call.
    fn failed(&self, phase: Phase, took: Duration);
}

/// Nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn started(&self, _phase: Phase) {}
    fn says(&self, _phase: Phase, _text: &str) {}
    fn finished(&self, _phase: Phase, _took: Duration) {}
    fn failed(&self, _phase: Phase, _took: Duration) {}
}

/// How long a step took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseTime {
    /// The step.
    pub phase: Phase,
    /// Its time.
    pub seconds: f64,
}

/// Tells the listener and keeps the times.
pub(crate) struct Clock<'a> {
    listener: &'a dyn Progress,
    times: Mutex<Vec<PhaseTime>>,
}

impl<'a> Clock<'a> {
    pub(crate) const fn new(listener: &'a dyn Progress) -> Self {
        Self { listener, times: Mutex::new(Vec::new()) }
    }

    pub(crate) fn says(&self, phase: Phase, text: &str) {
        self.listener.says(phase, text);
    }

    /// Run one step.
    pub(crate) async fn step<T, E>(
        &self,
        phase: Phase,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let started = Instant::now();
        self.listener.started(phase);
        let result = work.await;
        let took = started.elapsed();
        match &result {
            Ok(_) => self.listener.finished(phase, took),
            Err(_) => self.listener.failed(phase, took),
        }
        if let Ok(mut times) = self.times.lock() {
            times.push(PhaseTime { phase, seconds: took.as_secs_f64() });
        }
        result
    }

    pub(crate) fn times(&self) -> Vec<PhaseTime> {
        self.times.lock().map(|times| times.clone()).unwrap_or_default()
    }
}
