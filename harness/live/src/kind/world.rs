//! What stands for the world outside of a session's pods: addresses that are lent to its nodes,
//! and a zone that its name server forwards to the harness's. Both are inside containers of ours
//! and end with them.

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use partywall_core::inventory::{
    HARNESS_LABEL, NAME_SERVER_NAME, NAME_ZONE, OPEN_NAMESPACE, outside_addresses,
};
use serde_json::json;

use super::cluster::node_containers;
use super::error::UpError;
use crate::apply::apply_all;
use crate::observe::harness_pods::object;
use crate::programs::{docker, run};
use crate::session::{Session, World};
use crate::spec::IpFamily;

const DNS_PORT: u16 = 53;
const CONFIGURATION: (&str, &str, &str) = ("kube-system", "coredns", "Corefile");

/// Make it, or make it again.
pub(crate) async fn make(client: &Client, session: &Session) -> Result<World, UpError> {
    let (lent, name_zone) = futures::try_join!(lend(session), forward(client))?;
    Ok(World { addresses: lent, name_zone })
}

/// The addresses, on the loopback of every node: a packet that a pod sends there ends on its own
/// node, after the pod's egress policies.
async fn lend(session: &Session) -> Result<bool, UpError> {
    let nodes = node_containers(session);
    for node in &nodes {
        for address in lent_addresses(session.ip_family) {
            let bits = if address.contains(':') { 128 } else { 32 };
            let range = format!("{address}/{bits}");
            // Of scope host: else the kernel would take one of them as the source of what a node
            // sends to its pods, for their interfaces have no address of their own.
            let place = ["dev", "lo", "scope", "host"];
            let command = ["exec", node, "ip", "address", "replace", &range];
            let lent = run(docker(command.into_iter().chain(place))).await;
            lent.map_err(|source| UpError::Program {
                action: "lend an address to a node",
                source,
            })?;
        }
    }
    Ok(!nodes.is_empty())
}

/// The addresses of a family's nodes.
pub(crate) fn lent_addresses(family: IpFamily) -> Vec<&'static str> {
    let known = outside_addresses().into_iter().map(|(_, _, address)| address);
    known.filter(|address| family == IpFamily::Dual || !address.contains(':')).collect()
}

/// A zone of the cluster's own name server, where it forwards foreign names at all. It stands for
/// any zone of the internet: a name server that forwards asks whatever authority there is.
async fn forward(client: &Client) -> Result<bool, UpError> {
    let failed = |source| UpError::Cluster {
        action: "forward a zone to the harness's name server",
        source: Box::new(source),
    };
    let Some(address) = service(client).await? else { return Ok(false) };
    let (namespace, name, key) = CONFIGURATION;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let Some(map) = maps.get_opt(name).await.map_err(failed)? else { return Ok(false) };
    let written = map.data.unwrap_or_default().remove(key).unwrap_or_default();
    let Some(wanted) = with_zone(&written, &address) else { return Ok(false) };
    if wanted != written {
        let patch = json!({"data": {key: wanted}});
        let patched = maps.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await;
        patched.map_err(failed)?;
    }
    Ok(true)
}

/// The Service before the name server, whose address does not change with its pod.
async fn service(client: &Client) -> Result<Option<String>, UpError> {
    let namespace = object(json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": OPEN_NAMESPACE, "labels": {HARNESS_LABEL: "open"}},
    }));
    apply_all(client, &[namespace]).await?;
    let port = |protocol: &str| {
        let name = protocol.to_lowercase();
        json!({"name": name, "port": DNS_PORT, "protocol": protocol})
    };
    let service = object(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": NAME_SERVER_NAME, "namespace": OPEN_NAMESPACE},
        "spec": {
            "selector": {HARNESS_LABEL: NAME_SERVER_NAME},
            "ports": [port("UDP"), port("TCP")],
        },
    }));
    apply_all(client, &[service]).await?;
    let services: Api<Service> = Api::namespaced(client.clone(), OPEN_NAMESPACE);
    let found = services.get(NAME_SERVER_NAME).await.map_err(|source| UpError::Cluster {
        action: "find the harness's name server",
        source: Box::new(source),
    })?;
    Ok(found.spec.and_then(|spec| spec.cluster_ip))
}

/// The configuration with our zone in it; `None` where it forwards nothing.
fn with_zone(written: &str, address: &str) -> Option<String> {
    let head = format!("{NAME_ZONE}:{DNS_PORT} {{");
    let others = written.split_once(&head).map_or(written, |(before, _)| before);
    let forwards = others.lines().any(|line| line.trim_start().starts_with("forward "));
    // What stands behind our zone was written by us, and last.
    forwards.then(|| format!("{}\n{head}\n    forward . {address}\n}}\n", others.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str =
        ".:53 {\n    kubernetes cluster.local\n    forward . /etc/resolv.conf\n}\n";

    #[test]
    fn a_zone_is_added_once() {
        let added = with_zone(WRITTEN, "10.96.7.7").unwrap();
        assert!(added.starts_with(WRITTEN.trim_end()));
        assert!(added.ends_with("partywall.test:53 {\n    forward . 10.96.7.7\n}\n"));
        assert_eq!(with_zone(&added, "10.96.7.7"), Some(added.clone()));
        assert!(with_zone(&added, "10.96.8.8").unwrap().contains("10.96.8.8"));
    }

    #[test]
    fn a_name_server_that_forwards_nothing_is_left_alone() {
        assert_eq!(with_zone(".:53 {\n    kubernetes cluster.local\n}\n", "10.96.7.7"), None);
    }
}
