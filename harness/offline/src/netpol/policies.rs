//! Policies over pods.

use std::borrow::Borrow;

use roaring::RoaringBitmap;
use serde_json::Value;

use super::class::{Classes, classes};
use super::error::PolicyError;
use super::facts::{NamespaceFacts, PodFacts};
use super::matrix::Matrix;
use super::policy::{Direction, Policy, PolicyReader};
use super::world::World;

/// Every policy over every pod. Pods and policies are named by their places in the lists they
/// came in, so that a caller finds back to what they are for him.
#[derive(Debug)]
pub struct Policies {
    pub(super) world: World,
    pub(super) policies: Vec<Option<Policy>>,
    pub(super) egress: Classes,
    pub(super) ingress: Classes,
    refused: Vec<Refused>,
}

/// A policy that is not there, because the API server would refuse it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its place among the policies.
    pub policy: usize,
    /// What is wrong with it.
    pub error: PolicyError,
}

impl Policies {
    /// Put policies over pods. Of two namespaces with one name the last counts; one that only
    /// a pod names has no label but its name.
    pub fn new<Json: Borrow<Value>>(
        namespaces: Vec<NamespaceFacts>,
        pods: Vec<PodFacts>,
        policies: impl IntoIterator<Item = Json>,
    ) -> Self {
        let world = World::new(namespaces, pods);
        let mut refused = Vec::new();
        let mut reader = PolicyReader::default();
        let parsed = policies.into_iter().enumerate().map(|(place, value)| {
            let parsed = reader.read(value.borrow());
            parsed.map_err(|error| refused.push(Refused { policy: place, error })).ok()
        });
        let policies: Vec<Option<Policy>> = parsed.collect();
        let selected: Vec<(u32, &Policy, RoaringBitmap)> = (0_u32..)
            .zip(&policies)
            .filter_map(|(place, policy)| {
                let policy = policy.as_ref()?;
                let pods = world.local(&policy.namespace, &policy.pods) - &world.on_host_network;
                Some((place, policy, pods))
            })
            .collect();
        let of = |direction| {
            let selected = selected.iter().map(|(place, policy, pods)| (*place, *policy, pods));
            classes(&world, selected, direction)
        };
        let (egress, ingress) = (of(Direction::Egress), of(Direction::Ingress));
        Self { world, policies, egress, ingress, refused }
    }

    /// The policies that the API server would refuse: they decide nothing.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// A policy by its place; `None` for one that is refused.
    pub fn policy(&self, place: usize) -> Option<&Policy> {
        self.policies.get(place)?.as_ref()
    }

    /// A pod by its place.
    pub fn pod(&self, place: usize) -> Option<&PodFacts> {
        self.world.numbers.get(place).map(|number| &self.world.pods[*number as usize])
    }

    /// How many pods there are.
    pub fn pod_count(&self) -> usize {
        self.world.pods.len()
    }

    /// Every connection that is let through.
    pub fn matrix(&self) -> Matrix {
        Matrix::new(self)
    }

    /// Every connection that the policies of one end let through, as though the other end had
    /// none: one wall can hide a hole in the other.
    pub fn alone(&self, direction: Direction) -> Matrix {
        Matrix::alone(self, direction)
    }

    /// Every pod, selected by nothing.
    pub(super) fn open(&self, direction: Direction) -> Classes {
        classes(&self.world, std::iter::empty(), direction)
    }

    pub(super) const fn classes(&self, direction: Direction) -> &Classes {
        match direction {
            Direction::Egress => &self.egress,
            Direction::Ingress => &self.ingress,
        }
    }
}
