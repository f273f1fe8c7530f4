//! What stands for the world outside of the pods: a name server of ours in the policy-free
//! namespace, and on every node a server on the node's own network, at the addresses that `up`
//! lent to the node. It answers where a cloud has its metadata service, so that a wall before it
//! is proven by receipts and not by the absence of a cloud.

use std::collections::BTreeSet;

use kube::api::DynamicObject;
use kube::{Api, Client};
use partywall_core::inventory::{
    HARNESS_LABEL, Inventory, Lacks, NAME_SERVER_NAME, NAME_SERVER_PORTS, OPEN_NAMESPACE,
    OUTSIDE_NAME, OUTSIDE_PORTS, PodName, Role, stand_ins,
};
use partywall_core::port::Transport;
use serde_json::json;

use super::harness_pods::{HarnessPodError, container, object, running};
use crate::apply::apply_all;
use crate::kind::lent_addresses;
use crate::session::{Session, World};
use crate::spec::IpFamily;

/// Make the servers that are missing, and wait until all run.
pub(super) async fn ensure(
    client: &Client,
    session: &Session,
    standing: &Inventory,
) -> Result<bool, HarnessPodError> {
    let image = &session.bundle.agent;
    let mut wanted = vec![name_server(image)];
    if session.world.addresses {
        let family = session.ip_family;
        wanted.extend(standing.nodes.iter().map(|node| outside(&node.name, image, family)));
    }
    let pods: Api<k8s_openapi::api::core::v1::Pod> =
        Api::namespaced(client.clone(), OPEN_NAMESPACE);
    let mut missing = Vec::new();
    for pod in &wanted {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        if matches!(pods.get_opt(name).await, Ok(None)) {
            missing.push(pod.clone());
        }
    }
    apply_all(client, &missing).await?;
    for pod in &wanted {
        running(client, OPEN_NAMESPACE, pod.metadata.name.as_deref().unwrap_or_default()).await?;
    }
    Ok(!missing.is_empty())
}

fn name_server(image: &str) -> DynamicObject {
    object(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": NAME_SERVER_NAME, "namespace": OPEN_NAMESPACE,
            "labels": {HARNESS_LABEL: NAME_SERVER_NAME},
        },
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            // Ports below 1024 are a name server's, not a privilege.
            "securityContext": {
                "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
            },
            "containers": [container(image, &NAME_SERVER_PORTS)],
        },
    }))
}

fn outside(node: &str, image: &str, family: IpFamily) -> DynamicObject {
    let addresses = lent_addresses(family);
    let mut agent = container(image, &OUTSIDE_PORTS);
    // Ports of a pod on the node's network are reserved there, and it wants none of the node's.
    agent["ports"] = json!([]);
    if let Some(environment) = agent["env"].as_array_mut() {
        environment.extend([
            json!({"name": "PARTYWALL_ADDRESS", "value": addresses.join(",")}),
            json!({"name": "PARTYWALL_CONTROL", "value": "partywall-outside"}),
        ]);
    }
    agent["securityContext"] = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        "readOnlyRootFilesystem": true,
        "runAsUser": 0,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    object(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("{OUTSIDE_NAME}-{node}"), "namespace": OPEN_NAMESPACE,
            "labels": {HARNESS_LABEL: OUTSIDE_NAME},
        },
        "spec": {
            "nodeName": node,
            "hostNetwork": true,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "tolerations": [{"operator": "Exists"}],
            "containers": [agent],
        },
    }))
}

/// Tell what lies outside, and what cannot be asked here. The agents' ports are known by now.
pub(super) fn learn(inventory: &mut Inventory, session: &Session) {
    let servers: Vec<PodName> =
        inventory.with_role(Role::Outside).map(|pod| pod.name.clone()).collect();
    let nodes: BTreeSet<&str> =
        inventory.with_role(Role::Outside).map(|pod| pod.node.as_str()).collect();
    let is_everywhere = inventory.nodes.iter().all(|node| nodes.contains(node.name.as_str()));
    let speaks_sctp = inventory
        .pods
        .iter()
        .any(|pod| pod.agent && pod.decoys.iter().any(|port| port.transport == Transport::Sctp));
    let over_ipv6 = !inventory.ipv6.is_empty();
    inventory.outside = match is_everywhere {
        true => stand_ins(&servers, speaks_sctp, over_ipv6),
        false => Vec::new(),
    };
    let is_forwarded = session.world.name_zone;
    inventory.lacks =
        Can { speaks_sctp, over_ipv6, has_addresses: is_everywhere, has_zone: is_forwarded }
            .lacks();
}

/// What is known of a session before its pods are asked, so that what it lacks can be listed: only
/// its outside and what it lacks are filled in.
pub fn known(session: &Session) -> Inventory {
    let (sctp, ipv6) = (session.speaks_sctp.unwrap_or(true), session.ip_family == IpFamily::Dual);
    let World { addresses, name_zone } = session.world;
    let outside = if addresses { stand_ins(&[], sctp, ipv6) } else { Vec::new() };
    let can =
        Can { speaks_sctp: sctp, over_ipv6: ipv6, has_addresses: addresses, has_zone: name_zone };
    let lacks = can.lacks();
    Inventory { lacks, outside, ..Inventory::default() }
}

/// What can be asked of a session beside TCP and UDP between its pods.
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that a machine has or lacks")]
struct Can {
    speaks_sctp: bool,
    over_ipv6: bool,
    has_addresses: bool,
    has_zone: bool,
}

impl Can {
    fn lacks(&self) -> Lacks {
        let repair = "`partywall up` lends them to the nodes of a session";
        Lacks {
        sctp: (!self.speaks_sctp)
            .then(|| "not asked: the kernel under the nodes has no SCTP".to_string()),
        ipv6: (!self.over_ipv6).then(|| {
            "not asked: single-stack cluster (hint: `partywall up --ip-family dual` makes one of \
             IPv4 and IPv6)"
                .to_string()
        }),
        outside: (!self.has_addresses)
            .then(|| format!("not asked: the nodes have no addresses for it (hint: {repair})")),
        name_zone: (!self.has_zone).then(|| {
            "not asked: the cluster's name server forwards no zone to ours, or no foreign names \
             at all"
                .to_string()
        }),
        ..Lacks::default()
    }
    }
}
