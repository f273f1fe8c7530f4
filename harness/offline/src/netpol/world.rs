//! The pods in an order in which a namespace is a range, and which of them have which label.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::facts::{ContainerPort, Labels, NAMESPACE_NAME_LABEL, NamespaceFacts, PodFacts};
use super::ports::{PortSet, Protocol};
use super::selector::{Requirement, Selector};

/// Namespaces and pods, sorted. A pod's place in that order is its number in every set.
#[derive(Debug)]
pub(super) struct World {
    pub(super) namespaces: Vec<Namespace>,
    pub(super) pods: Vec<PodFacts>,
    /// Each pod's place among the caller's pods.
    pub(super) order: Arc<[u32]>,
    /// The number of each of the caller's pods.
    pub(super) numbers: Vec<u32>,
    pub(super) everyone: RoaringBitmap,
    pub(super) on_host_network: RoaringBitmap,
    /// Pods with equal ports.
    pub(super) ports: Vec<PortClass>,
    /// The place in `ports` of each pod.
    pub(super) port_class: Vec<u32>,
    pod_labels: LabelIndex,
    namespace_labels: LabelIndex,
    every_namespace: RoaringBitmap,
}

#[derive(Debug)]
pub(super) struct Namespace {
    pub(super) facts: NamespaceFacts,
    pub(super) pods: Range<u32>,
}

#[derive(Debug)]
pub(super) struct PortClass {
    pub(super) ports: Vec<ContainerPort>,
    pub(super) pods: RoaringBitmap,
}

impl PortClass {
    /// What its containers declare.
    pub(super) fn declared(&self) -> PortSet {
        let single = |port: &ContainerPort| PortSet::single(port.protocol, port.number);
        self.ports.iter().map(single).fold(PortSet::none(), |all, port| all.union(&port))
    }

    /// The numbers that a name stands for.
    pub(super) fn named(&self, name: &str, protocol: Protocol) -> impl Iterator<Item = u16> {
        let is_named = move |port: &&ContainerPort| {
            port.protocol == protocol && port.name.as_deref() == Some(name)
        };
        self.ports.iter().filter(is_named).map(|port| port.number)
    }
}

impl World {
    /// Of facts in any order. A namespace that only pods name has no labels but its own.
    pub(super) fn new(namespaces: Vec<NamespaceFacts>, pods: Vec<PodFacts>) -> Self {
        let mut order: Vec<u32> = (0_u32..).take(pods.len()).collect();
        order.sort_by(|one, two| key(&pods[*one as usize]).cmp(&key(&pods[*two as usize])));
        let mut numbers = vec![0; pods.len()];
        for (number, place) in (0_u32..).zip(&order) {
            numbers[*place as usize] = number;
        }
        let mut unsorted: Vec<Option<PodFacts>> = pods.into_iter().map(Some).collect();
        let sorted = order.iter().filter_map(|place| unsorted[*place as usize].take());
        let pods: Vec<PodFacts> = sorted.collect();
        let namespaces = sorted_namespaces(namespaces, &pods);
        let on_host_network = numbered(&pods).filter(|(_, pod)| pod.host_network);
        let (ports, port_class) = port_classes(&pods);
        Self {
            on_host_network: on_host_network.map(|(number, _)| number).collect(),
            everyone: (0_u32..).take(pods.len()).collect(),
            pod_labels: LabelIndex::new(pods.iter().map(|pod| &pod.labels)),
            namespace_labels: LabelIndex::new(namespaces.iter().map(|one| &one.facts.labels)),
            every_namespace: (0_u32..).take(namespaces.len()).collect(),
            order: order.into(),
            numbers,
            namespaces,
            pods,
            ports,
            port_class,
        }
    }

    pub(super) fn namespace(&self, name: &str) -> Option<&Namespace> {
        let found = self.namespaces.binary_search_by(|one| one.facts.name.as_str().cmp(name));
        found.ok().map(|place| &self.namespaces[place])
    }

    /// The pods of one namespace that a selector selects.
    pub(super) fn local(&self, namespace: &str, pods: &Selector) -> RoaringBitmap {
        let range = self.namespace(namespace).map_or(0..0, |found| found.pods.clone());
        self.pod_labels.select(pods, RoaringBitmap::from_iter(range))
    }

    /// The pods of the namespaces that a selector selects.
    pub(super) fn of_namespaces(&self, namespaces: &Selector) -> RoaringBitmap {
        let found = self.namespace_labels.select(namespaces, self.every_namespace.clone());
        let mut pods = RoaringBitmap::new();
        for place in found {
            pods.insert_range(self.namespaces[place as usize].pods.clone());
        }
        pods
    }

    /// Those of some pods that a selector selects.
    pub(super) fn among(&self, pods: RoaringBitmap, selector: &Selector) -> RoaringBitmap {
        self.pod_labels.select(selector, pods)
    }
}

fn key(pod: &PodFacts) -> (&str, &str) {
    (&pod.namespace, &pod.name)
}

fn numbered(pods: &[PodFacts]) -> impl Iterator<Item = (u32, &PodFacts)> {
    (0_u32..).zip(pods)
}

fn sorted_namespaces(facts: Vec<NamespaceFacts>, pods: &[PodFacts]) -> Vec<Namespace> {
    let mut labels: BTreeMap<String, Labels> = BTreeMap::new();
    for facts in facts {
        labels.insert(facts.name, facts.labels);
    }
    for pod in pods {
        if !labels.contains_key(&pod.namespace) {
            labels.insert(pod.namespace.clone(), Labels::new());
        }
    }
    let mut next = 0;
    let mut namespaces = Vec::with_capacity(labels.len());
    for (name, mut labels) in labels {
        let start = next;
        while pods.get(next as usize).is_some_and(|pod| pod.namespace == name) {
            next += 1;
        }
        labels.insert(NAMESPACE_NAME_LABEL.to_string(), name.clone());
        let facts = NamespaceFacts { name, labels };
        namespaces.push(Namespace { facts, pods: start..next });
    }
    namespaces
}

fn port_classes(pods: &[PodFacts]) -> (Vec<PortClass>, Vec<u32>) {
    let mut known: HashMap<Vec<ContainerPort>, u32> = HashMap::new();
    let mut classes: Vec<PortClass> = Vec::new();
    let mut class_of = Vec::with_capacity(pods.len());
    for (number, pod) in numbered(pods) {
        let mut ports = pod.ports.clone();
        ports.sort_unstable();
        ports.dedup();
        let place = *known.entry(ports).or_insert_with_key(|ports| {
            classes.push(PortClass { ports: ports.clone(), pods: RoaringBitmap::new() });
            u32::try_from(classes.len() - 1).unwrap_or(u32::MAX)
        });
        classes[place as usize].pods.insert(number);
        class_of.push(place);
    }
    (classes, class_of)
}

/// Who has a label: a selector is answered without a look at every pod.
#[derive(Debug, Default)]
struct LabelIndex(HashMap<String, KeyIndex>);

#[derive(Debug, Default)]
struct KeyIndex {
    any: RoaringBitmap,
    values: HashMap<String, RoaringBitmap>,
}

impl LabelIndex {
    fn new<'a>(all: impl Iterator<Item = &'a Labels>) -> Self {
        let mut index = Self::default();
        for (number, labels) in (0_u32..).zip(all) {
            for (key, value) in labels {
                if !index.0.contains_key(key) {
                    index.0.insert(key.clone(), KeyIndex::default());
                }
                if let Some(found) = index.0.get_mut(key) {
                    found.push(value, number);
                }
            }
        }
        index
    }

    fn select(&self, selector: &Selector, among: RoaringBitmap) -> RoaringBitmap {
        selector.requirements().iter().fold(among, |left, one| self.keep(left, one))
    }

    fn keep(&self, mut left: RoaringBitmap, requirement: &Requirement) -> RoaringBitmap {
        match requirement {
            Requirement::In { key, values } => self.with(&left, key, values),
            Requirement::NotIn { key, values } => {
                let with = self.with(&left, key, values);
                left -= with;
                left
            }
            Requirement::Exists { key } => match self.0.get(key) {
                Some(found) => left & &found.any,
                None => RoaringBitmap::new(),
            },
            Requirement::DoesNotExist { key } => match self.0.get(key) {
                Some(found) => left - &found.any,
                None => left,
            },
        }
    }

    fn with<'a>(
        &self,
        among: &RoaringBitmap,
        key: &str,
        values: impl IntoIterator<Item = &'a String>,
    ) -> RoaringBitmap {
        let Some(found) = self.0.get(key) else { return RoaringBitmap::new() };
        let sets = values.into_iter().filter_map(|value| found.values.get(value));
        sets.fold(RoaringBitmap::new(), |all, set| all | (among & set))
    }
}

impl KeyIndex {
    fn push(&mut self, value: &str, number: u32) {
        self.any.insert(number);
        match self.values.get_mut(value) {
            Some(set) => {
                set.insert(number);
            }
            None => {
                self.values.insert(value.to_string(), RoaringBitmap::from_iter([number]));
            }
        }
    }
}
