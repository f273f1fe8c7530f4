//! The way of a tenant's telemetry, line by line, for people.

use std::fmt;

use partywall_core::contract::Tenant;
use partywall_core::event::NotJudged;
use partywall_core::probe::Signal;
use partywall_core::source::SourceLocation;

use super::estate::Telemetry;
use super::route::{End, Reaches, Route};

/// One place that telemetry passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What happens there.
    pub what: String,
    /// The line that says so.
    pub location: SourceLocation,
}

impl Step {
    pub(super) fn new(what: impl Into<String>, location: SourceLocation) -> Self {
        Self { what: what.into(), location }
    }
}

/// A step that keeps telemetry from its organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    pub(super) step: Step,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// The sender names no organisation, or not one, or speaks another protocol.
    Sender,
    /// The way loses the organisation that the sender named.
    Organisation,
    /// An address that leads nowhere.
    Address,
    /// A collector that does not start.
    Start,
    /// A collector without a pipeline for the signal.
    Pipeline,
    /// A policy.
    Policy,
}

impl Fault {
    pub(super) const fn new(kind: FaultKind, step: Step) -> Self {
        Self { kind, step }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.location, self.what)
    }
}

/// The way of one signal of a tenant, as if every policy let it through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trail {
    /// The tenant.
    pub tenant: String,
    /// Log or metric.
    pub signal: Signal,
    /// What it passes, in order.
    pub steps: Vec<Step>,
    /// Where it ends, one for each copy: `org customer-a`, `every org`, `refused: …`.
    pub ends: Vec<String>,
    /// The organisations it ends in; none where the store asks nobody.
    pub orgs: Vec<String>,
    /// Why the way could not be followed further.
    pub not_judged: Option<NotJudged>,
}

impl Telemetry<'_> {
    /// Follow one signal of a tenant from its environment to its organisation.
    pub fn trail(&self, tenant: &Tenant, signal: Signal) -> Trail {
        let open = |_: &super::Hop| Reaches::Yes;
        let mut route = Route::new(self, signal, &open);
        route.explains = true;
        let sent = route.send_for(tenant);
        let mut trail = Trail {
            tenant: tenant.name.clone(),
            signal,
            steps: route.steps,
            ends: Vec::new(),
            orgs: Vec::new(),
            not_judged: None,
        };
        match sent {
            Ok((_, passage)) => {
                for end in &passage.ends {
                    trail.ends.push(end.words());
                    trail.orgs.extend(end.org().map(str::to_string));
                }
                if passage.ends.is_empty() {
                    trail.ends.push(format!("refused: {}", passage.answer.detail));
                }
            }
            Err(unknown) => trail.not_judged = Some(unknown),
        }
        trail
    }
}

impl End {
    fn words(&self) -> String {
        match self {
            Self::Stored { org, .. } => format!("org {org}"),
            Self::Shared { .. } => "every org".to_string(),
            Self::Lost { fault } => format!("lost: {}", fault.step.what),
        }
    }

    fn org(&self) -> Option<&str> {
        match self {
            Self::Stored { org, .. } => Some(org),
            Self::Shared { .. } | Self::Lost { .. } => None,
        }
    }
}
