//! Reading as the files let it: as two organisations at once, and through Grafana's data sources.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use partywall_core::check::too_many;
use partywall_core::data_source::{DataSource, provisioned};
use partywall_core::event::NotJudged;
use partywall_core::observation::{
    DeliverObservation, ReadObservation, ReadSight, SourceSeen, SourcesObservation,
};
use partywall_core::probe::{DeliverProbe, Signal, SourcesProbe};
use partywall_core::source::SourceLocation;

use super::config::line_in;
use super::estate::Telemetry;
use super::observe::Deliveries;
use super::store::Store;
use crate::render::Object;

/// Kinds of objects that files are mounted from.
const KINDS: [&str; 2] = ["ConfigMap", "Secret"];
/// As a value begins that SOPS sealed.
const SEALED: &str = "ENC[";
/// What a store that federates nothing answers to who names several organisations.
const REFUSED: u16 = 422;

impl<'a> Telemetry<'a> {
    /// What a store shows to who asks as the first two organisations of the contract at once.
    ///
    /// # Errors
    ///
    /// What cannot be judged, by name.
    pub fn both(
        &self,
        signal: Signal,
        deliveries: &Deliveries<'_, 'a>,
    ) -> Result<ReadObservation, NotJudged> {
        let placed = self.placed(signal, deliveries)?;
        let store = Store::of(self, signal)?;
        let (federates, step) = store.federation(self)?;
        let is_read = federates || !store.tenancy;
        let first_two = self.contract.tenants.iter().take(2);
        let sight = |org: &str| {
            let alone = placed.get(org).is_some_and(|placed| is_in(placed, org));
            ReadSight { alone, shown: alone && is_read }
        };
        Ok(ReadObservation {
            status: Some(if is_read { 200 } else { REFUSED }),
            detail: match is_read {
                true if !store.tenancy => store.step.to_string(),
                true => step.to_string(),
                false => format!("{}: {step}", too_many(signal)),
            },
            orgs: first_two.map(|tenant| (tenant.org.clone(), sight(&tenant.org))).collect(),
        })
    }

    /// What a tenant's data sources are, and what reading through them shows.
    ///
    /// # Errors
    ///
    /// What cannot be judged, by name.
    pub fn sources(
        &self,
        probe: &SourcesProbe,
        deliveries: &Deliveries<'_, 'a>,
    ) -> Result<SourcesObservation, NotJudged> {
        let placed = self.placed(probe.store, deliveries)?;
        let store = Store::of(self, probe.store)?;
        let (federates, _) = store.federation(self)?;
        let reads = |source: &DataSource| {
            let several = source.named().count() > 1 && !federates;
            if store.tenancy && (several || source.named().next().is_none()) {
                return BTreeSet::new();
            }
            let shows = |placed: &DeliverObservation| match store.tenancy {
                true => source.named().any(|org| is_in(placed, org)),
                false => placed.orgs.values().any(|sight| sight.marker),
            };
            let shown = placed.iter().filter(|(_, placed)| shows(placed));
            shown.map(|(org, _)| org.clone()).collect()
        };
        let (mut sources, unread) = self.provisioned()?;
        for one in sources.iter_mut().filter(|one| one.store == Some(probe.store)) {
            let is_answered = is_query_address(&one.source, probe.store);
            one.status = Some(if is_answered { 200 } else { 404 });
            if is_answered {
                one.shown = reads(&one.source);
            }
        }
        let markers = placed.iter().map(|(org, placed)| (org.clone(), is_in(placed, org)));
        Ok(SourcesObservation {
            namespace: self.stores()?.data_sources.clone().unwrap_or_default(),
            sources,
            unread,
            markers: markers.collect(),
        })
    }

    /// Where each tenant's marker is, by the tenant's organisation.
    fn placed(
        &self,
        signal: Signal,
        deliveries: &Deliveries<'_, 'a>,
    ) -> Result<BTreeMap<String, DeliverObservation>, NotJudged> {
        let place = |tenant: &partywall_core::contract::Tenant| {
            let placed = deliveries.observe(&DeliverProbe::of(tenant.clone(), signal))?;
            Ok((tenant.org.clone(), placed))
        };
        self.contract.tenants.iter().map(place).collect()
    }

    /// The data sources of the namespace that the contract names, and what may have more.
    fn provisioned(&self) -> Result<(Vec<SourceSeen>, Vec<String>), NotJudged> {
        let stores = self.stores()?;
        let (mut sources, mut unread) = (Vec::new(), Vec::new());
        let Some(namespace) = &stores.data_sources else { return Ok((sources, unread)) };
        let objects = KINDS.into_iter().flat_map(|kind| self.rendered.of_kind(kind));
        for object in objects.filter(|object| object.namespace() == namespace) {
            let place = object.label();
            for given in texts_of(object) {
                let Some(text) = &given.text else {
                    unread.push(format!("{place} has `{}` sealed", given.key));
                    continue;
                };
                let found = provisioned(&place, text);
                unread.extend(found.unread.map(|reason| format!("{place} {reason}")));
                let seen = found.sources.into_iter().map(|source| SourceSeen {
                    location: Some(self.line_of(object, &given, text, source.header_line)),
                    store: source.store_of(stores, namespace),
                    source,
                    place: place.clone(),
                    status: None,
                    shown: BTreeSet::new(),
                    detail: String::new(),
                });
                sources.extend(seen);
            }
        }
        sources.retain(|one| one.store.is_some() || one.source.is_of_a_store());
        Ok((sources, unread))
    }

    fn line_of(&self, object: &Object, given: &Given, text: &str, line: u64) -> SourceLocation {
        match given.field {
            "data" => line_in(self.rendered, object, &given.key, text, line),
            field => self.rendered.locate(object, &[field, given.key.as_str()]),
        }
    }
}

/// What an object has under a key.
pub(crate) struct Given {
    field: &'static str,
    key: String,
    /// `None` where SOPS sealed it and Grafana would read it.
    pub(crate) text: Option<String>,
}

/// The texts of a ConfigMap or Secret.
pub(crate) fn texts_of(object: &Object) -> Vec<Given> {
    let mut texts = Vec::new();
    for field in ["data", "stringData"] {
        for (key, text) in object.text_map(&[field]) {
            // Grafana reads files of these names only.
            let is_read = key.ends_with(".yaml") || key.ends_with(".yml");
            let is_bytes = object.kind() == "Secret" && field == "data";
            let text = match text.trim_start().starts_with(SEALED) {
                true if is_read => None,
                true => continue,
                false if !is_bytes => Some(text),
                false => match decoded(&text) {
                    Some(text) => Some(text),
                    None => continue,
                },
            };
            texts.push(Given { field, key, text });
        }
    }
    texts
}

/// What a Secret's value says; `None` where it is no text, as Grafana's provisioning is.
pub(crate) fn decoded(value: &str) -> Option<String> {
    let written: String = value.split_whitespace().collect();
    String::from_utf8(STANDARD.decode(written).ok()?).ok()
}

fn is_in(placed: &DeliverObservation, org: &str) -> bool {
    placed.orgs.get(org).is_some_and(|sight| sight.marker)
}

/// Whether queries are answered below its address.
fn is_query_address(source: &DataSource, signal: Signal) -> bool {
    let rest = source.url.split_once("://").map_or(source.url.as_str(), |(_, rest)| rest);
    let path = rest.split_once('/').map_or("", |(_, path)| path.trim_end_matches('/'));
    match signal {
        Signal::Log => path.is_empty(),
        Signal::Metric => path == "prometheus",
    }
}
