//! Asking what hostile objects have opened, all at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kube::Client;
use partywall_core::attempt::{AttemptProbe, Effect, Want};
use partywall_core::inventory::Inventory;
use partywall_core::observation::{AttemptReachSeen, Observation, Outcome, ReceiptState};
use partywall_core::probe::ReachProbe;

use super::stand::Stand;
use crate::observe::reach;
use crate::observe::streams::Streams;
use crate::wait::{Poll, Wait, until};

/// kube-proxy takes a second at most, and the agents' own patience is in the probes.
const MARKERS: Wait = Wait::seconds(15).every(Duration::from_millis(200));

/// What is asked with.
pub(super) struct Asker<'a> {
    pub(super) client: &'a Client,
    pub(super) streams: &'a Streams,
    pub(super) inventory: &'a Inventory,
}

/// Probes in one batch, and where each one's answer belongs.
#[derive(Default)]
struct Batch {
    probes: Vec<ReachProbe>,
    answered: BTreeSet<usize>,
}

impl Batch {
    fn put(&mut self, probe: ReachProbe, is_answered: bool) -> usize {
        let index = self.probes.len();
        self.probes.push(probe);
        if is_answered {
            self.answered.insert(index);
        }
        index
    }
}

impl Asker<'_> {
    /// Wait until an object has begun to act, as far as something shows it; says why not.
    pub(super) async fn realised(&self, probe: &AttemptProbe, stand: &Stand) -> Option<String> {
        let mut markers: Vec<Vec<ReachProbe>> =
            probe.markers.iter().map(|marker| vec![stand.real(marker)]).collect();
        if matches!(probe.hostile.effect(), Effect::Service | Effect::Exposed | Effect::Apiserver) {
            let controls = probe.reaches.iter().map(|reach| {
                reach.target_controls.iter().map(|control| stand.real(control)).collect()
            });
            markers.extend(controls);
        }
        for marker in markers {
            let condition = format!("the marker of {}", probe.name);
            let waited = until(condition, MARKERS, || self.look(&marker)).await;
            if let Err(error) = waited {
                return Some(error.to_string());
            }
        }
        None
    }

    async fn look(&self, marker: &[ReachProbe]) -> Poll<(), std::convert::Infallible> {
        let mut batch = Batch::default();
        for probe in marker {
            batch.put(probe.clone(), true);
        }
        let answers = self.ask(&batch, self.inventory).await;
        if answers.values().any(is_reached) {
            return Poll::Ready(());
        }
        let last = answers.values().next();
        Poll::not_yet(last.map_or("no answer".to_string(), |last| match last {
            Observation::Reach(seen) => format!("{:?} {}", seen.outcome, seen.detail),
            Observation::Failed { detail } => detail.clone(),
            _ => String::new(),
        }))
    }

    /// The answers to the reach probes of these attempts.
    pub(super) async fn reaches(
        &self,
        attempts: &[(&AttemptProbe, &Stand)],
    ) -> Vec<Vec<AttemptReachSeen>> {
        let mut batch = Batch::default();
        let mut places = Vec::new();
        for (probe, stand) in attempts {
            let of_attempt = probe.reaches.iter().map(|reach| {
                let is_answered = reach.want == Want::Unmoved;
                let main = batch.put(stand.real(&reach.probe), is_answered);
                let mut controls = |probes: &[ReachProbe]| -> Vec<usize> {
                    probes.iter().map(|one| batch.put(stand.real(one), true)).collect()
                };
                (main, controls(&reach.client_controls), controls(&reach.target_controls))
            });
            places.push(of_attempt.collect::<Vec<_>>());
        }
        let mut inventory = self.inventory.clone();
        inventory.pods.extend(attempts.iter().filter_map(|(_, stand)| stand.pod.clone()));
        let answers = self.ask(&batch, &inventory).await;
        let of = |index: &usize| {
            let lost = || Observation::Failed { detail: "it was never answered".to_string() };
            answers.get(index).cloned().unwrap_or_else(lost)
        };
        let seen = |(main, client, target): &(usize, Vec<usize>, Vec<usize>)| AttemptReachSeen {
            seen: of(main),
            client: client.iter().map(of).collect(),
            target: target.iter().map(of).collect(),
        };
        places.iter().map(|of_attempt| of_attempt.iter().map(seen).collect()).collect()
    }

    async fn ask(&self, batch: &Batch, inventory: &Inventory) -> BTreeMap<usize, Observation> {
        let probes: Vec<(usize, &ReachProbe)> = batch.probes.iter().enumerate().collect();
        let (streams, answered) = (self.streams, &batch.answered);
        let answers = reach::observe(self.client, streams, inventory, &probes, answered).await;
        answers.into_iter().collect()
    }
}

fn is_reached(observation: &Observation) -> bool {
    match observation {
        Observation::Reach(seen) => {
            seen.outcome == Outcome::Reached
                && matches!(seen.receipt, ReceiptState::Present | ReceiptState::NoServer)
        }
        _ => false,
    }
}
