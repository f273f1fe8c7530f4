//! The rendered objects, indexed for following telemetry through them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use partywall_core::contract::{Contract, Telemetry as Stores};
use partywall_core::event::NotJudged;
use partywall_core::probe::Signal;

use super::config::ConfigFile;
use super::container::Workload;
use crate::render::{Object, Rendered};

/// The telemetry of one rendered layout.
///
/// Built once for all questions: with a thousand tenants it is the search for Services and the
/// parsing of the collector's file that would cost.
pub struct Telemetry<'a> {
    pub(super) rendered: &'a Rendered,
    pub(super) contract: &'a Contract,
    workloads: HashMap<&'a str, Vec<Workload<'a>>>,
    objects: HashMap<(&'a str, &'a str, &'a str), &'a Object>,
    parsed: Mutex<HashMap<(String, String, String), Parsed>>,
}

/// A parsed file, or why it could not be read.
pub(super) type Parsed = Result<Arc<ConfigFile>, String>;

impl<'a> Telemetry<'a> {
    /// Index a rendered layout.
    pub fn new(rendered: &'a Rendered, contract: &'a Contract) -> Self {
        let mut workloads: HashMap<&str, Vec<Workload<'_>>> = HashMap::new();
        let mut objects = HashMap::new();
        for object in &rendered.objects {
            objects.entry((object.kind(), object.namespace(), object.name())).or_insert(object);
            if let Some(workload) = Workload::of(object) {
                workloads.entry(object.namespace()).or_default().push(workload);
            }
        }
        Self { rendered, contract, workloads, objects, parsed: Mutex::default() }
    }

    pub(super) fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&'a Object> {
        self.objects.get(&(kind, namespace, name)).copied()
    }

    /// Workloads that have pods, in a namespace.
    pub(super) fn workloads(&self, namespace: &str) -> &[Workload<'a>] {
        self.workloads.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// A file by `namespace`, ConfigMap and key, parsed at its first use.
    pub(super) fn parsed(
        &self,
        key: (String, String, String),
        parse: impl FnOnce() -> Result<ConfigFile, String>,
    ) -> Parsed {
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        parsed.entry(key).or_insert_with(|| parse().map(Arc::new)).clone()
    }

    pub(super) fn stores(&self) -> Result<&'a Stores, NotJudged> {
        self.contract.telemetry.as_ref().ok_or_else(|| NotJudged {
            subject: "partywall.yaml".to_string(),
            reason: "it has no `telemetry`: say where logs and metrics end up".to_string(),
            location: None,
        })
    }

    /// Namespace, Service and port of the store of a signal.
    pub(super) fn store_place(&self, signal: Signal) -> Result<(&'a str, &'a str, u16), NotJudged> {
        let stores = self.stores()?;
        let place = match signal {
            Signal::Log => &stores.logs,
            Signal::Metric => &stores.metrics,
        };
        let parts = place.split_once('/').and_then(|(namespace, rest)| {
            let (service, port) = rest.split_once(':')?;
            Some((namespace, service, port.parse().ok()?))
        });
        parts.ok_or_else(|| NotJudged {
            subject: "partywall.yaml".to_string(),
            reason: format!("`{place}` is not NAMESPACE/SERVICE:PORT"),
            location: None,
        })
    }
}

/// As the collector names a signal.
pub(super) const fn plural(signal: Signal) -> &'static str {
    match signal {
        Signal::Log => "logs",
        Signal::Metric => "metrics",
    }
}
