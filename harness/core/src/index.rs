//! What stands in the cluster, found at once instead of looked for: a matrix asks for the same pods
//! a hundred thousand times.

use std::collections::HashMap;

use crate::inventory::{Inventory, Pod, PodName, Role};

/// An index over an inventory.
#[derive(Clone, Debug)]
pub struct Index<'a> {
    by_name: HashMap<&'a PodName, &'a Pod>,
    by_address: HashMap<&'a str, &'a Pod>,
    twins: HashMap<&'a PodName, &'a Pod>,
    by_namespace: HashMap<&'a str, Vec<&'a Pod>>,
}

impl<'a> Index<'a> {
    /// Go through an inventory once. Of several that fit, the first counts, as in the inventory's
    /// own look-ups.
    pub fn of(inventory: &'a Inventory) -> Self {
        let mut index = Self {
            by_name: HashMap::new(),
            by_address: HashMap::new(),
            twins: HashMap::new(),
            by_namespace: HashMap::new(),
        };
        for pod in &inventory.pods {
            index.by_name.entry(&pod.name).or_insert(pod);
            index.by_address.entry(&pod.address).or_insert(pod);
            index.by_namespace.entry(&pod.name.namespace).or_default().push(pod);
            if let Role::Twin { of } = &pod.role {
                index.twins.entry(of).or_insert(pod);
            }
        }
        index
    }

    /// The pod of this name.
    pub fn pod(&self, name: &PodName) -> Option<&'a Pod> {
        self.by_name.get(name).copied()
    }

    /// The pod that has this address.
    pub fn at(&self, address: &str) -> Option<&'a Pod> {
        self.by_address.get(address).copied()
    }

    /// The pod that denies are asked of in place of this one, see [`Inventory::stand_in`].
    pub fn stand_in(&self, pod: &'a Pod) -> Option<&'a Pod> {
        if pod.agent { Some(pod) } else { self.twins.get(&pod.name).copied() }
    }

    /// The pods of a namespace, in the order of the inventory.
    pub fn in_namespace(&self, namespace: &str) -> &[&'a Pod] {
        self.by_namespace.get(namespace).map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn pod(name: &str, role: Role, agent: bool) -> Pod {
        Pod {
            name: PodName::new("a", name),
            workload: name.to_string(),
            labels: BTreeMap::new(),
            address: format!("10.0.0.{}", name.len()),
            node: String::new(),
            service_account: String::new(),
            host_network: false,
            role,
            agent,
            declared: Vec::new(),
            decoys: Vec::new(),
        }
    }

    #[test]
    fn it_says_what_the_inventory_says() {
        let of = PodName::new("a", "db");
        let pods = vec![
            pod("db", Role::Workload, false),
            pod("web", Role::Workload, true),
            pod("search", Role::Workload, false),
            pod("twin", Role::Twin { of }, true),
        ];
        let inventory = Inventory { pods, ..Inventory::default() };
        let index = Index::of(&inventory);
        for pod in &inventory.pods {
            assert_eq!(index.pod(&pod.name), inventory.pod(&pod.name));
            assert_eq!(index.stand_in(pod), inventory.stand_in(pod));
            assert_eq!(index.at(&pod.address), Some(pod));
        }
        assert_eq!(index.pod(&PodName::new("b", "db")), None);
        assert_eq!(index.in_namespace("a").len(), 4);
        assert_eq!(index.in_namespace("b").len(), 0);
    }
}
