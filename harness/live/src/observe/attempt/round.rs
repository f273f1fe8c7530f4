//! Attempts in rounds: those that disturb nobody all together, the others each alone.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use kube::api::{DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use partywall_core::attempt::{
    AttemptProbe, Effect, Hostile, NO_CHART, Objects, innocent, objects,
};
use partywall_core::inventory::Inventory;
use partywall_core::observation::{
    AttemptAnswer, AttemptControl, AttemptEffect, AttemptObservation, Layer, Observation, Trying,
};
use serde_json::{Value, json};

use super::answer::{LABELS_BEFORE, is_gone, make, remove};
use super::ask::Asker;
use super::broom::{Before, Broom, sweep};
use super::identities::{Account, accounts};
use super::stand::{Stand, stand};
use crate::apply::describe;
use crate::canary::canary;
use crate::observe::harness_pods::object;
use crate::observe::streams::Streams;
use crate::session::Session;
use crate::wait::{Poll, Wait, until};

/// Most of them wait for a controller, and not for the API server.
const AT_ONCE: usize = 24;
const CANARY_LIMIT: Duration = Duration::from_secs(30);
const REMOVAL: Wait = Wait::seconds(45).every(Duration::from_millis(150));

/// Whoever puts attempts to a cluster.
pub(crate) struct Attacker<'a> {
    pub(crate) client: &'a Client,
    pub(crate) session: &'a Session,
    pub(crate) streams: &'a Streams,
    pub(crate) inventory: &'a Inventory,
}

/// One attempt on its way.
struct Flight<'a> {
    index: usize,
    probe: &'a AttemptProbe,
    objects: Objects,
    tried: Vec<Trying>,
    control: AttemptControl,
    /// What was stored, where the object was applied.
    stored: Vec<DynamicObject>,
    stand: Option<Stand>,
    effect: Option<AttemptEffect>,
    left: Option<String>,
}

type Known = BTreeMap<String, Result<Vec<Account>, String>>;

impl Attacker<'_> {
    /// Put these attempts; answers carry the probes' places in the batch.
    pub(crate) async fn observe(
        &self,
        probes: &[(usize, &AttemptProbe)],
    ) -> Vec<(usize, Observation)> {
        if probes.is_empty() {
            return Vec::new();
        }
        let broom = Broom::new(self.session.kubeconfig());
        let mut known = Known::new();
        for (_, probe) in probes {
            if !known.contains_key(&probe.tenant.name) {
                let found = accounts(self.client, self.session, &probe.tenant).await;
                known.insert(probe.tenant.name.clone(), found);
            }
        }
        let (alone, together): (Vec<_>, Vec<_>) =
            probes.iter().copied().partition(|(_, probe)| probe.hostile.stands_alone());
        let mut seen = self.round(&together, &known).await;
        for probe in alone {
            seen.extend(self.round(&[probe], &known).await);
        }
        if sweep(self.client).await.is_ok() {
            broom.put_away();
        }
        seen
    }

    /// Make them all, ask what they opened, and take them away.
    async fn round(
        &self,
        probes: &[(usize, &AttemptProbe)],
        known: &Known,
    ) -> Vec<(usize, Observation)> {
        let mut tries = Vec::new();
        for (index, probe) in probes {
            tries.push(self.attempt(*index, probe, known));
        }
        let tries: Vec<_> = futures::stream::iter(tries).buffered(AT_ONCE).collect().await;
        let mut failed = Vec::new();
        let mut flights = Vec::new();
        for tried in tries {
            match tried {
                Ok(flight) => flights.push(flight),
                Err(lost) => failed.push(lost),
            }
        }
        self.ask(&mut flights).await;
        let standing = flights.iter_mut().filter(|flight| !flight.stored.is_empty());
        let removals: Vec<_> = standing.map(|flight| self.take_away(flight)).collect();
        futures::stream::iter(removals).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
        failed.extend(flights.into_iter().map(|flight| (flight.index, answer(flight))));
        failed
    }

    async fn attempt<'p>(
        &self,
        index: usize,
        probe: &'p AttemptProbe,
        known: &Known,
    ) -> Result<Flight<'p>, (usize, Observation)> {
        let flight = self.made(index, probe, known).await;
        flight.map_err(|detail| (index, Observation::Failed { detail }))
    }

    async fn made<'p>(
        &self,
        index: usize,
        probe: &'p AttemptProbe,
        known: &Known,
    ) -> Result<Flight<'p>, String> {
        let accounts = match known.get(&probe.tenant.name) {
            Some(Ok(accounts)) => accounts.as_slice(),
            Some(Err(detail)) => return Err(detail.clone()),
            None => &[],
        };
        let objects = self.objects(probe).await?;
        let mut flight = Flight {
            index,
            probe,
            objects,
            tried: Vec::new(),
            control: AttemptControl::Accepted,
            stored: Vec::new(),
            stand: None,
            effect: None,
            left: None,
        };
        for account in accounts {
            let answer = self.try_as(account, &mut flight).await;
            let is_applied = answer == AttemptAnswer::Applied;
            flight.tried.push(Trying { identity: account.identity.clone(), answer });
            if is_applied {
                return Ok(flight);
            }
        }
        flight.control = self.control(&flight).await;
        Ok(flight)
    }

    async fn objects(&self, probe: &AttemptProbe) -> Result<Objects, String> {
        let mut setting = probe.setting.clone();
        setting.insert("image".to_string(), self.session.bundle.agent.clone());
        let (chart, account) = match probe.hostile.effect() {
            Effect::Release => self.release_of(probe).await?,
            _ => (NO_CHART.to_string(), "default".to_string()),
        };
        setting.insert("release_chart".to_string(), chart);
        setting.insert("release_account".to_string(), account);
        let mut made = objects(probe.hostile, &setting).map_err(|error| error.to_string())?;
        if made.hostile["kind"] == "Namespace" {
            self.remember_labels(&mut made.hostile).await?;
        }
        Ok(made)
    }

    /// Chart, values and account of a release that the tenant has: a hostile one gets as far.
    async fn release_of(&self, probe: &AttemptProbe) -> Result<(String, String), String> {
        let kind = GroupVersionKind::gvk("helm.toolkit.fluxcd.io", "v2", "HelmRelease");
        let resource = kube::api::ApiResource::from_gvk(&kind);
        let namespace = probe.setting.get("namespace").cloned().unwrap_or_default();
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &namespace, &resource);
        let listed = match api.list(&ListParams::default()).await {
            Ok(listed) => listed.items,
            Err(kube::Error::Api(status)) if status.code == 404 => Vec::new(),
            Err(error) => return Err(format!("failed to list HelmReleases: {error}")),
        };
        let is_own = |one: &&DynamicObject| {
            let name = one.metadata.name.as_deref().unwrap_or_default();
            !name.starts_with("partywall-attempt")
        };
        let Some(own) = listed.iter().find(is_own) else {
            return Ok((NO_CHART.to_string(), "default".to_string()));
        };
        let spec = &own.data["spec"];
        let parts = ["chart", "chartRef", "values", "valuesFrom"].into_iter();
        let parts = parts.filter(|part| !spec[part].is_null());
        let parts: Vec<String> = parts.map(|part| format!("{part}: {}", spec[part])).collect();
        let account = spec["serviceAccountName"].as_str().unwrap_or("default");
        Ok((parts.join("\n  "), account.to_string()))
    }

    async fn remember_labels(&self, namespace: &mut Value) -> Result<(), String> {
        let name = namespace["metadata"]["name"].as_str().unwrap_or_default();
        let api: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(self.client.clone());
        let found = api.get(name).await.map_err(|error| error.to_string())?;
        let before = json!(Before::of(&found)).to_string();
        namespace["metadata"]["annotations"] = json!({LABELS_BEFORE: before});
        Ok(())
    }

    /// One identity makes the objects, and what they do by themselves is waited for.
    async fn try_as(&self, account: &Account, flight: &mut Flight<'_>) -> AttemptAnswer {
        // Companions are the administrator's: what a tenant may not make of them may stand already.
        let hostile = std::iter::once((&account.client, &flight.objects.hostile));
        let companions = flight.objects.companions.iter().map(|one| (self.client, one));
        let mut stored: Vec<DynamicObject> = Vec::new();
        let mut answer = None;
        for (client, value) in hostile.chain(companions) {
            match make(client, value, false).await {
                Ok(object) => stored.push(object),
                Err(refused) => {
                    answer = Some(refused);
                    break;
                }
            }
        }
        answer = answer.or_else(|| dropped(flight.probe.hostile, &stored));
        if answer.is_none() {
            match stand(self.client, flight.probe, &stored).await {
                Ok(stand) => {
                    flight.stand = Some(stand);
                    flight.stored = stored;
                    return AttemptAnswer::Applied;
                }
                Err(refused) => answer = Some(refused),
            }
        }
        // What was taken of it before something refused the rest must not stand for the next.
        if !stored.is_empty() {
            self.take_away(flight).await;
        }
        answer.unwrap_or(AttemptAnswer::Applied)
    }

    /// Whether the administrator is taken the same object from, or one without its hostile part.
    async fn control(&self, flight: &Flight<'_>) -> AttemptControl {
        let innocent = innocent(flight.probe.hostile, &flight.objects);
        // Anybody's Deployment is taken: what refuses its pods is only seen on a pod.
        let is_deployment = flight.objects.hostile["kind"] == "Deployment";
        let mut detail = String::new();
        if innocent.is_none() || !is_deployment {
            match make(self.client, &flight.objects.hostile, true).await {
                Ok(_) => return AttemptControl::Accepted,
                Err(AttemptAnswer::Refused { message, .. }) => detail = message,
                Err(AttemptAnswer::Unknown { detail: why }) => detail = why,
                Err(AttemptAnswer::Applied) => {}
            }
        }
        let Some(innocent) = innocent else { return AttemptControl::Failed { detail } };
        match make(self.client, &innocent, true).await {
            Ok(_) => AttemptControl::Innocent,
            Err(AttemptAnswer::Refused { message, .. }) if detail.is_empty() => {
                AttemptControl::Failed { detail: message }
            }
            Err(_) => AttemptControl::Failed { detail },
        }
    }

    async fn ask(&self, flights: &mut [Flight<'_>]) {
        let asker = Asker { client: self.client, streams: self.streams, inventory: self.inventory };
        let mut realised = Vec::new();
        for flight in flights.iter() {
            realised.push(match &flight.stand {
                Some(stand) if !flight.probe.reaches.is_empty() => {
                    Some(self.realised(&asker, flight.probe, stand).await)
                }
                _ => None,
            });
        }
        let standing: Vec<usize> =
            (0..flights.len()).filter(|index| realised[*index].is_some()).collect();
        let pairs: Vec<(&AttemptProbe, &Stand)> = standing
            .iter()
            .filter_map(|index| Some((flights[*index].probe, flights[*index].stand.as_ref()?)))
            .collect();
        if pairs.is_empty() {
            return;
        }
        let answers = asker.reaches(&pairs).await;
        for (index, reaches) in standing.into_iter().zip(answers) {
            let unrealised = realised[index].take().flatten();
            flights[index].effect = Some(AttemptEffect { unrealised, reaches });
        }
    }

    async fn realised(
        &self,
        asker: &Asker<'_>,
        probe: &AttemptProbe,
        stand: &Stand,
    ) -> Option<String> {
        if probe.hostile.effect() == Effect::Walls {
            // Its policies come after the hostile one. When they bite on every node, the network
            // plugin has realised what came before.
            return canary(self.client, CANARY_LIMIT).await.err().map(|error| error.to_string());
        }
        asker.realised(probe, stand).await
    }

    /// Remove the objects and wait until they are gone, with the pods that they made.
    async fn take_away(&self, flight: &mut Flight<'_>) {
        let all = || std::iter::once(&flight.objects.hostile).chain(&flight.objects.companions);
        let mut left = None;
        for value in all() {
            if value["kind"] == "Namespace" {
                left = left.or(sweep(self.client).await.err());
                continue;
            }
            left = left.or(remove(self.client, value).await.err());
            let condition = format!("{} being gone", describe(&object(value.clone())));
            let gone = until(condition, REMOVAL, || async {
                match is_gone(self.client, value).await {
                    Ok(true) => Poll::<(), std::convert::Infallible>::Ready(()),
                    Ok(false) => Poll::not_yet("it stands"),
                    Err(error) => Poll::not_yet(error),
                }
            });
            left = left.or(gone.await.err().map(|error| error.to_string()));
        }
        flight.stored.clear();
        flight.left = flight.left.take().or(left);
    }
}

/// What the API server takes and does not keep is refused, if without a word.
fn dropped(hostile: Hostile, stored: &[DynamicObject]) -> Option<AttemptAnswer> {
    let kept = match hostile {
        Hostile::ReleaseValuesOfNeighbour => {
            stored.first()?.data["spec"]["valuesFrom"][0]["namespace"].is_string()
        }
        _ => true,
    };
    (!kept).then(|| AttemptAnswer::Refused {
        layer: Layer::Validation,
        message: "the API server drops `namespace` from `valuesFrom`: a release reads values of \
                  its own namespace alone"
            .to_string(),
    })
}

fn answer(flight: Flight<'_>) -> Observation {
    Observation::Attempt(Box::new(AttemptObservation {
        object: describe(&object(flight.objects.hostile.clone())),
        tried: flight.tried,
        control: flight.control,
        effect: flight.effect,
        left: flight.left,
    }))
}
