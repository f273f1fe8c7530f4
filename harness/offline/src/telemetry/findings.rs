//! Defects of telemetry that no judged cell names.
//!
//! Where the collector loses every header, the fences are lost as well, and the cells can only
//! be undetermined: the line is known all the same. And a cell speaks of one sender of a tenant,
//! while others may send elsewhere.

use partywall_core::contract::{OrgSource, Tenant};
use partywall_core::event::{Defect, NotJudged};
use partywall_core::probe::{Forge, Over, Signal};
use partywall_core::source::SourceLocation;

use super::estate::{Telemetry, plural};
use super::route::{End, Passage, Reaches, Route};
use super::sender::{Sender, sender, senders};
use super::settings;
use super::trail::{FaultKind, Step};

/// The way forgets whose telemetry it passes on, and the store refuses it.
pub const ORGANISATION_LOST: &str = "organisation-lost";
/// An endpoint on the way leads nowhere.
pub const TELEMETRY_GOES_NOWHERE: &str = "telemetry-goes-nowhere";
/// The collector takes a signal that no pipeline of it carries.
pub const SIGNAL_WITHOUT_PIPELINE: &str = "signal-without-pipeline";
/// The collector's configuration names what is not there.
pub const COLLECTOR_DOES_NOT_START: &str = "collector-does-not-start";
/// A tenant has a sender beside the one that is judged, which sends as another organisation.
pub const SENDER_IN_OTHER_ORGANISATION: &str = "sender-in-other-organisation";

/// A tenant has a sender beside the one that is judged, whose telemetry the stores refuse.
pub const SENDER_WITHOUT_ORGANISATION: &str = "sender-without-organisation";

/// Whoever reaches the collector decides by a header whose telemetry it takes it for.
pub const ORGANISATION_FROM_CLIENT_HEADER: &str = "organisation-from-client-header";

/// The contract's file.
const CONTRACT: &str = "partywall.yaml";
/// An organisation that nobody has, to see who is believed.
const NOBODY: &str = "partywall-nobody";

/// What was found beside the cells.
#[derive(Default)]
struct Survey {
    defects: Vec<Defect>,
    not_judged: Vec<NotJudged>,
}

impl Telemetry<'_> {
    /// Every such defect, each once.
    pub fn findings(&self) -> Vec<Defect> {
        self.survey().defects
    }

    /// What other senders than the judged one do and the files do not tell; of the judged one
    /// its cell says so.
    pub fn not_judged(&self) -> Vec<NotJudged> {
        self.survey().not_judged
    }

    fn survey(&self) -> Survey {
        let mut survey = Survey::default();
        if self.contract.telemetry.is_none() {
            return survey;
        }
        survey.believed(self);
        for tenant in &self.contract.tenants {
            let senders = senders(self, tenant);
            let Some((judged, others)) = senders.split_first() else { continue };
            for signal in [Signal::Log, Signal::Metric] {
                survey.add(self, tenant, judged, true, signal);
                let differs = |other: &&Sender<'_>| !alike(judged, other, signal);
                for other in others.iter().filter(differs) {
                    survey.add(self, tenant, other, false, signal);
                }
            }
        }
        survey
    }
}

/// Whether two senders send to the same place under the same headers.
fn alike(a: &Sender<'_>, b: &Sender<'_>, signal: Signal) -> bool {
    let read = |sender: &Sender<'_>| {
        let settings = settings::read(&sender.environment, signal).ok()?;
        Some((settings.endpoint, settings.encoding, settings.headers))
    };
    let namespace = |sender: &Sender<'_>| sender.pod.namespace.clone();
    read(a).is_some() && read(a) == read(b) && namespace(a) == namespace(b)
}

impl Survey {
    fn add(
        &mut self,
        estate: &Telemetry<'_>,
        tenant: &Tenant,
        sender: &Sender<'_>,
        is_judged: bool,
        signal: Signal,
    ) {
        let open = |_: &super::Hop| Reaches::Yes;
        let mut route = Route::new(estate, signal, &open);
        route.explains = !is_judged;
        let passage = match route.send_with(tenant, sender) {
            Ok(passage) => passage,
            Err(unknown) if !is_judged && !self.not_judged.contains(&unknown) => {
                self.not_judged.push(unknown);
                return;
            }
            Err(_) => return,
        };
        let object = sender.container.workload.object.label();
        let Some((name, step)) = told_by_no_cell(tenant, &passage, is_judged) else { return };
        let same =
            |known: &Defect| known.name == name && known.location.as_ref() == Some(&step.location);
        if !self.defects.iter().any(same) {
            self.defects.push(defect(name, &object, signal, step));
        }
    }
}

impl Survey {
    /// Whether a tenant is believed that writes another's organisation into its header: found in
    /// the files, and said of a contract that calls it right.
    fn believed(&mut self, estate: &Telemetry<'_>) {
        for tenant in &estate.contract.tenants {
            let Ok(sender) = sender(estate, tenant) else { continue };
            let object = format!("telemetry of {}", tenant.name);
            for signal in [Signal::Log, Signal::Metric] {
                for step in believers(estate, tenant, &sender, signal) {
                    self.add_believer(&object, &step);
                }
            }
        }
        let is_meant = estate.contract.telemetry.as_ref().map(|stores| stores.org_from);
        if self.defects.is_empty() && is_meant == Some(OrgSource::Header) {
            let lines = estate.rendered.sources.files.get(CONTRACT).map(|text| text.lines());
            let line = lines.and_then(|mut lines| lines.position(|line| line.contains("orgFrom")));
            let at = SourceLocation::new(CONTRACT, line.map_or(1, |line| line as u64 + 1));
            self.add_believer(
                CONTRACT,
                &Step::new("the contract takes the organisation from a header", at),
            );
        }
    }

    fn add_believer(&mut self, object: &str, step: &Step) {
        if self.defects.iter().any(|known| known.location.as_ref() == Some(&step.location)) {
            return;
        }
        self.defects.push(Defect {
            name: ORGANISATION_FROM_CLIENT_HEADER.to_string(),
            summary: format!(
                "{} and believes it: give each tenant a receiver of its own, with a fixed \
                 organisation (`orgFrom: receiver`)",
                step.what
            ),
            object: object.to_string(),
            message: String::new(),
            location: Some(step.location.clone()),
            behind: None,
        });
    }
}

/// The settings that carry a forged organisation to a store.
fn believers(
    estate: &Telemetry<'_>,
    tenant: &Tenant,
    sender: &Sender<'_>,
    signal: Signal,
) -> Vec<Step> {
    let nobody = Tenant { org: NOBODY.to_string(), ..tenant.clone() };
    let forged = Forge::Other.of(tenant, Some(&nobody));
    let open = |_: &super::Hop| Reaches::Yes;
    let mut found = Vec::new();
    for over in [None, Some(Over::Grpc), Some(Over::Http)] {
        let mut route = Route::new(estate, signal, &open);
        let Ok(passage) = route.send_forged(tenant, sender, over, Some(&forged)) else { continue };
        found.extend(passage.ends.iter().filter_map(|end| match end {
            End::Stored { org, said } if org == NOBODY => {
                let direct =
                    || Step::new("a store is sent to directly", said.step.location.clone());
                Some(said.passed_on.clone().unwrap_or_else(direct))
            }
            _ => None,
        }));
    }
    found
}

/// The defect in what became of a request, and where it is.
fn told_by_no_cell<'p>(
    tenant: &Tenant,
    passage: &'p Passage,
    is_judged: bool,
) -> Option<(&'static str, &'p Step)> {
    let lost = passage.ends.iter().filter_map(|end| match end {
        End::Lost { fault } => Some(fault),
        End::Stored { .. } | End::Shared { .. } => None,
    });
    let mut faults = passage.answer.fault.iter().chain(lost);
    let fault = faults.find_map(|fault| Some((named(fault.kind, is_judged)?, &fault.step)));
    let other = || {
        passage.ends.iter().find_map(|end| match end {
            End::Stored { org, said } if !is_judged && *org != tenant.org => {
                Some((SENDER_IN_OTHER_ORGANISATION, &said.step))
            }
            _ => None,
        })
    };
    fault.or_else(other)
}

/// The defect that a fault is; others are told by a cell.
const fn named(kind: FaultKind, is_judged: bool) -> Option<&'static str> {
    match kind {
        FaultKind::Organisation => Some(ORGANISATION_LOST),
        FaultKind::Address => Some(TELEMETRY_GOES_NOWHERE),
        FaultKind::Start => Some(COLLECTOR_DOES_NOT_START),
        FaultKind::Pipeline => Some(SIGNAL_WITHOUT_PIPELINE),
        FaultKind::Sender if !is_judged => Some(SENDER_WITHOUT_ORGANISATION),
        FaultKind::Sender | FaultKind::Policy => None,
    }
}

fn defect(name: &str, object: &str, signal: Signal, at: &Step) -> Defect {
    Defect {
        name: name.to_string(),
        summary: format!("{}: {}", plural(signal), at.what),
        object: object.to_string(),
        message: String::new(),
        location: Some(at.location.clone()),
        behind: None,
    }
}
