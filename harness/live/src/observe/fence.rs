//! What gives an absence its meaning: a fence that went the marker's way after it.
//!
//! Where a header decides the organisation, one collector takes fences for all of them, from the
//! platform's client under names of its choice. Where the receiver decides, nobody can write into
//! another's organisation, so that each tenant's fence goes by its own receiver.

use std::collections::{BTreeMap, BTreeSet};

use partywall_agent::protocol::{EmitRequest, Signal};
use partywall_core::contract::{Contract, OrgSource};
use partywall_core::inventory::PodName;
use partywall_core::probe::Over;

use super::deliver::{Sender, request};

/// A way into a collector, and the fence that goes by it.
pub(super) struct Channel<'a> {
    /// The fence's name.
    pub(super) fence: String,
    /// Whose receiver it is; nobody's where a header decides.
    owner: Option<&'a str>,
    over: Option<Over>,
    /// As the tenants' environments name it.
    beside: String,
    /// The organisations in which the fence must be seen.
    pub(super) orgs: BTreeSet<&'a str>,
    /// The pod that writes the fence, where it is not the platform's client.
    pub(super) pod: Option<PodName>,
    /// The tenants that send by it.
    tenants: BTreeSet<&'a str>,
    /// Whether the collector took it.
    pub(super) is_written: bool,
}

impl Channel<'_> {
    /// The address, where it is not what the environment says.
    fn endpoint(&self) -> String {
        self.over.map_or_else(|| self.beside.clone(), |over| over.beside(&self.beside))
    }

    /// The fences of one signal: one for each organisation where a header decides.
    pub(super) fn requests(&self, signal: Signal) -> Vec<EmitRequest> {
        let asked = EmitRequest { endpoint: Some(self.endpoint()), ..request(signal, &self.fence) };
        if self.owner.is_some() {
            return vec![asked];
        }
        let under = |org: &&str| {
            let headers = BTreeMap::from([("x-scope-orgid".to_string(), (*org).to_string())]);
            EmitRequest { headers: Some(headers), ..asked.clone() }
        };
        self.orgs.iter().map(under).collect()
    }

    /// For people.
    pub(super) fn destination(&self) -> String {
        match self.owner {
            Some(tenant) => format!("the organisation of {tenant}"),
            None => "every organisation".to_string(),
        }
    }

    /// Whether the fence of this channel must be seen in an organisation for a marker's absence
    /// there to count. Where receivers decide that is the fence of the organisation's own tenant.
    pub(super) fn fences(&self, (over, tenant): (Option<Over>, &str), org: &str) -> bool {
        let is_way = self.over == over && self.orgs.contains(org);
        is_way && (self.owner.is_some() || self.tenants.contains(tenant))
    }
}

/// Every way by which markers of these kinds were sent.
pub(super) fn channels<'a>(
    contract: &'a Contract,
    prefix: &str,
    senders: &BTreeMap<&'a str, Sender>,
    ways: &BTreeSet<Option<Over>>,
) -> Vec<Channel<'a>> {
    let stores = contract.telemetry.as_ref();
    let by_receiver = stores.is_some_and(|stores| stores.org_from == OrgSource::Receiver);
    let all = || contract.tenants.iter().map(|tenant| tenant.org.as_str()).collect();
    let mut channels: Vec<Channel<'a>> = Vec::new();
    for (tenant, sender) in senders {
        let Ok((pod, endpoint)) = sender else { continue };
        for over in ways {
            let known = channels
                .iter_mut()
                .find(|one| one.owner.is_none() && one.over == *over && one.beside == *endpoint);
            if let Some(channel) = known {
                channel.tenants.insert(tenant);
                continue;
            }
            let own = contract.tenant(tenant).map(|tenant| tenant.org.as_str());
            channels.push(Channel {
                fence: format!("{prefix}_fence_{}_end", channels.len()),
                owner: by_receiver.then_some(*tenant),
                over: *over,
                beside: endpoint.clone(),
                orgs: if by_receiver { own.into_iter().collect() } else { all() },
                pod: by_receiver.then(|| pod.clone()),
                tenants: BTreeSet::from([*tenant]),
                is_written: true,
            });
        }
    }
    channels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract(org_from: &str) -> Contract {
        let tenant =
            |name: &str| format!("  - {{name: {name}, namespaces: [{name}], org: {name}}}\n");
        let text = format!(
            "apiVersion: partywall.dev/v1alpha1\nkind: Contract\ntenants:\n{}{}platform: [o]\n\
             endpoints: {{}}\nflows: []\n\
             telemetry: {{logs: o/loki:3100, metrics: o/mimir:9009, orgFrom: {org_from}}}\n",
            tenant("a"),
            tenant("b"),
        );
        Contract::load("partywall.yaml", &text).unwrap()
    }

    fn senders<'a>(of: &[(&'a str, &str)]) -> BTreeMap<&'a str, Sender> {
        let sender = |(name, endpoint): &(&'a str, &str)| {
            (*name, Ok((PodName::new(*name, "open-webui"), (*endpoint).to_string())))
        };
        of.iter().map(sender).collect()
    }

    #[test]
    fn one_collector_takes_a_fence_for_every_organisation() {
        let contract = contract("header");
        let senders = senders(&[("a", "http://alloy:4317"), ("b", "http://alloy:4317")]);
        let ways = BTreeSet::from([Some(Over::Grpc), Some(Over::Http)]);
        let found = channels(&contract, "p", &senders, &ways);
        assert_eq!(found.len(), 2);
        let asked: Vec<_> = found[1].requests(Signal::Log);
        let under =
            |request: &EmitRequest| request.headers.clone().unwrap()["x-scope-orgid"].clone();
        assert_eq!(asked.iter().map(under).collect::<Vec<_>>(), ["a", "b"]);
        assert!(asked.iter().all(|one| one.endpoint.as_deref() == Some("http://alloy:4318")));
        let of_b = (Some(Over::Http), "b");
        assert!(found[1].fences(of_b, "a") && found[1].fences(of_b, "b"));
        assert!(!found[0].fences(of_b, "a"), "another protocol is another way");
        assert!(!found[1].fences(of_b, "anonymous"));
        assert!(found.iter().all(|channel| channel.pod.is_none()));
    }

    #[test]
    fn each_receiver_takes_the_fence_of_its_own_tenant() {
        let contract = contract("receiver");
        let senders = senders(&[("a", "http://alloy-a:4317"), ("b", "http://alloy-b:4317")]);
        let found = channels(&contract, "p", &senders, &BTreeSet::from([None]));
        assert_eq!(found.len(), 2);
        let asked = found[1].requests(Signal::Metric);
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].endpoint.as_deref(), Some("http://alloy-b:4317"));
        assert_eq!(asked[0].headers, None, "as the environment says");
        assert_eq!(found[1].pod, Some(PodName::new("b", "open-webui")));
        let of_a = (None, "a");
        assert!(found[0].fences(of_a, "a") && found[1].fences(of_a, "b"));
        assert!(!found[0].fences(of_a, "b"), "nobody writes into another's organisation");
    }
}
