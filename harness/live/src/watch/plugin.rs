//! Which network plugin enforces, by the pods that it runs.

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, ListParams};

/// Namespaces and labels of the agents of network plugins, one a node.
const KNOWN: [(&str, &str, &str); 6] = [
    ("calico", "kube-system", "k8s-app=calico-node"),
    ("calico", "calico-system", "k8s-app=calico-node"),
    ("cilium", "kube-system", "k8s-app=cilium"),
    ("antrea", "kube-system", "component=antrea-agent"),
    ("kube-router", "kube-system", "k8s-app=kube-router"),
    ("kindnet", "kube-system", "app=kindnet"),
];

/// A network plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// `calico v3.28`.
    pub name: String,
    /// Namespace of its pods.
    pub namespace: &'static str,
    /// Label of its pods.
    pub label: &'static str,
}

/// The plugin of a cluster; `None` where it is not one that is known here.
pub(super) async fn network_plugin(client: &Client) -> Result<Option<Plugin>, kube::Error> {
    for (name, namespace, label) in KNOWN {
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let found = pods.list(&ListParams::default().labels(label)).await?;
        let Some(pod) = found.items.first() else { continue };
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let image = containers.filter_map(|container| container.image.as_deref()).next();
        let tag = image.and_then(|image| image.rsplit_once(':')).map_or("", |(_, tag)| tag);
        let name = format!("{name} {tag}").trim().to_string();
        return Ok(Some(Plugin { name, namespace, label }));
    }
    Ok(None)
}
