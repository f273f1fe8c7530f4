//! Who reads what: a store as two organisations at once, and through each data source of Grafana
//! by its own address and header. Grafana itself need not run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use partywall_agent::protocol::{HttpReply, Signal};
use partywall_core::contract::{Contract, Telemetry};
use partywall_core::data_source::{DataSource, provisioned};
use partywall_core::inventory::{Inventory, PodName};
use partywall_core::observation::{
    Observation, ReadObservation, ReadSight, SourceSeen, SourcesObservation,
};
use partywall_core::probe::{Asker, Probe, SourcesProbe};

use super::deliver::reader;
use super::plant::{Planted, plant};
use super::store::Store;
use super::streams::Streams;

/// As much of a store's words as a person wants to read.
const WORDS_LENGTH_MAX: usize = 160;

/// Loki's frontend tries again and again to have its querier answer what that refuses: 16 to 18
/// seconds were measured until it says so.
const REFUSAL_LIMIT: Duration = Duration::from_secs(45);

/// One question about reading.
#[derive(Clone, Copy)]
pub(super) enum Read<'a> {
    /// As two organisations at once.
    Both(Signal),
    /// Through a tenant's data sources.
    Sources(&'a SourcesProbe),
}

impl<'a> Read<'a> {
    /// The question of a probe, if it is one of these.
    pub(super) fn of(probe: &'a Probe) -> Option<Self> {
        match probe {
            Probe::Access(probe) if probe.by == Asker::TwoOrganisations => {
                Some(Self::Both(probe.store))
            }
            Probe::Sources(probe) => Some(Self::Sources(probe)),
            _ => None,
        }
    }

    const fn signal(&self) -> Signal {
        match self {
            Self::Both(signal) => *signal,
            Self::Sources(probe) => probe.store,
        }
    }
}

/// What reading needs.
pub(super) struct Stand<'a> {
    pub(super) client: &'a Client,
    pub(super) streams: &'a Streams,
    pub(super) contract: &'a Contract,
    pub(super) inventory: &'a Inventory,
}

impl Stand<'_> {
    /// Write markers, and answer every question.
    pub(super) async fn observe(&self, reads: &[(usize, Read<'_>)]) -> Vec<(usize, Observation)> {
        if reads.is_empty() {
            return Vec::new();
        }
        let signals: BTreeSet<Signal> = reads.iter().map(|(_, read)| read.signal()).collect();
        let planted = plant(self.streams, self.contract, self.inventory, &signals).await;
        let mut seen = Vec::new();
        // Every tenant's probe asks the same of all data sources.
        let mut through: BTreeMap<Signal, Result<SourcesObservation, String>> = BTreeMap::new();
        for (index, read) in reads {
            let answer = match (&planted, read) {
                (Err(detail), _) => Err(detail.clone()),
                (Ok(planted), Read::Both(signal)) => {
                    self.both(*signal, planted).await.map(Observation::Read)
                }
                (Ok(planted), Read::Sources(probe)) => {
                    let signal = probe.store;
                    let seen = match through.get(&signal) {
                        Some(known) => known.clone(),
                        None => self.sources(signal, planted).await,
                    };
                    through.insert(signal, seen.clone());
                    seen.map(Observation::Sources)
                }
            };
            let failed = |detail| Observation::Failed { detail };
            seen.push((*index, answer.unwrap_or_else(failed)));
        }
        seen
    }

    fn telemetry(&self) -> Result<&Telemetry, String> {
        self.contract
            .telemetry
            .as_ref()
            .ok_or_else(|| "the contract has no `telemetry`".to_string())
    }

    fn reader(&self, place: &str) -> Result<&PodName, String> {
        reader(self.inventory, place)
            .ok_or_else(|| format!("there is no control client of the platform for {place}"))
    }

    /// Whether a store shows each organisation's marker to who asks as this one alone.
    async fn alone(
        &self,
        signal: Signal,
        planted: &Planted,
        orgs: impl Iterator<Item = &str>,
    ) -> Result<BTreeMap<String, bool>, String> {
        let telemetry = self.telemetry()?;
        let reader = self.reader(&telemetry.logs)?;
        let store = Store::new(self.streams, reader, telemetry, signal)?;
        let mut found = BTreeMap::new();
        for org in orgs {
            let reply = store.query(Some(org), &planted.prefix).await?;
            let shown = planted.shown(signal, &reply.body);
            found.insert(org.to_string(), is_success(&reply) && shown.contains(org));
        }
        Ok(found)
    }

    async fn both(&self, signal: Signal, planted: &Planted) -> Result<ReadObservation, String> {
        let telemetry = self.telemetry()?;
        let reader = self.reader(&telemetry.logs)?;
        let store = Store::new(self.streams, reader, telemetry, signal)?;
        let orgs = || self.contract.tenants.iter().take(2).map(|tenant| tenant.org.as_str());
        let alone = self.alone(signal, planted, orgs()).await?;
        let asked = orgs().collect::<Vec<_>>().join("|");
        let patient = store.with_limit(REFUSAL_LIMIT);
        let reply = patient.query(Some(&asked), &planted.prefix).await?;
        let shown = planted.shown(signal, &reply.body);
        let sights = alone.into_iter().map(|(org, alone)| {
            let shown = shown.contains(&org);
            (org, ReadSight { alone, shown })
        });
        Ok(ReadObservation { status: reply.status, detail: words(&reply), orgs: sights.collect() })
    }

    /// What is read through every data source that leads to a store.
    async fn sources(
        &self,
        signal: Signal,
        planted: &Planted,
    ) -> Result<SourcesObservation, String> {
        let telemetry = self.telemetry()?;
        let namespace = telemetry.data_sources.as_deref();
        let namespace = namespace.ok_or("the contract names no data sources")?;
        let reader = self.reader(namespace)?;
        let orgs = self.contract.tenants.iter().map(|tenant| tenant.org.as_str());
        let markers = self.alone(signal, planted, orgs).await?;
        let mut sources = Vec::new();
        let (found, unread) = self.provisioned(namespace).await?;
        for (place, source) in found {
            let store = source.store_of(telemetry, namespace);
            if store.is_none() && !source.is_of_a_store() {
                continue;
            }
            let location = None;
            let (mut status, mut shown, mut detail) = (None, BTreeSet::new(), String::new());
            if store == Some(signal) {
                let through = Store::at(self.streams, reader, signal, &source.url);
                let org = source.organisations.first().cloned().flatten();
                let reply = through.query(org.as_deref(), &planted.prefix).await?;
                shown = planted.shown(signal, &reply.body);
                (status, detail) = (reply.status, words(&reply));
            }
            sources.push(SourceSeen { source, place, location, store, status, shown, detail });
        }
        Ok(SourcesObservation { namespace: namespace.to_string(), sources, unread, markers })
    }

    /// Every data source that stands in a namespace, with the object that has it, and what may
    /// have more.
    async fn provisioned(
        &self,
        namespace: &str,
    ) -> Result<(Vec<(String, DataSource)>, Vec<String>), String> {
        let everything = ListParams::default();
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let (maps, secrets) = futures::try_join!(maps.list(&everything), secrets.list(&everything))
            .map_err(|error| format!("failed to list what Grafana is given: {error}"))?;
        let mut texts = Vec::new();
        for map in &maps.items {
            let place = format!("ConfigMap {namespace}/{}", map.name_any());
            let of_map = map.data.iter().flatten().map(|(_, text)| (place.clone(), text.clone()));
            texts.extend(of_map);
        }
        for secret in &secrets.items {
            let place = format!("Secret {namespace}/{}", secret.name_any());
            let values = secret.data.iter().flatten();
            let values = values.filter_map(|(_, value)| String::from_utf8(value.0.clone()).ok());
            texts.extend(values.map(|text| (place.clone(), text)));
        }
        let (mut found, mut unread) = (Vec::new(), Vec::new());
        for (place, text) in &texts {
            let one = provisioned(place, text);
            found.extend(one.sources.into_iter().map(|source| (place.clone(), source)));
            unread.extend(one.unread.map(|reason| format!("{place} {reason}")));
        }
        Ok((found, unread))
    }
}

fn is_success(reply: &HttpReply) -> bool {
    reply.status.is_some_and(|status| (200..300).contains(&status))
}

/// What a store said where it refused: an answer's own content is nobody's to read.
fn words(reply: &HttpReply) -> String {
    let body = if is_success(reply) { "" } else { reply.body.trim() };
    let body: String = body.chars().take(WORDS_LENGTH_MAX).collect();
    format!("{} {body}", reply.detail).trim().to_string()
}
