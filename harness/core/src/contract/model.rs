//! The shape of `partywall.yaml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::port::Port;
use crate::source::{LoadError, load};
use crate::verdict::ProofLevel;

/// The statement of intent, written by a person and checked against the layout.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Contract {
    /// `partywall.dev/v1alpha1`.
    pub api_version: String,
    /// `Contract`.
    pub kind: String,
    /// Whether a program wrote it: a draft says what is, not what was meant, so that a run on it
    /// never ends in `holds`. A person who has read the contract removes the key.
    #[serde(default)]
    pub draft: bool,
    /// The tenants.
    pub tenants: Vec<Tenant>,
    /// Namespaces of the platform.
    pub platform: Vec<String>,
    /// Named targets, with their container ports.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Everything that is allowed.
    pub flows: Vec<Flow>,
    /// Where telemetry ends up.
    pub telemetry: Option<Telemetry>,
    /// Implementation-defined behaviour: shown, compared run to run, not judged.
    #[serde(default)]
    pub recorded: Vec<Recorded>,
    /// Which local folder stands for which Git repository's address.
    #[serde(default)]
    pub repositories: Vec<Repository>,
    /// Public keys with which an operator opens every tenant's files where all else is lost. No
    /// cluster has their private halves, so that no tenant's Kustomization opens anything with them.
    #[serde(default)]
    pub recovery_recipients: Vec<String>,
}

/// One tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// Its namespaces.
    pub namespaces: Vec<String>,
    /// Its organisation in Loki, Mimir and Tempo.
    pub org: String,
    /// Its encrypted files and who may open them.
    pub secrets: Option<Secrets>,
}

/// A tenant's SOPS files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Secrets {
    /// Paths relative to the layout's root.
    pub files: Vec<String>,
    /// Those who may decrypt: public age keys (`age1…`), or keys by the names that the files give
    /// them (`projects/…` of Google, `arn:…` of Amazon, a fingerprint).
    pub recipients: Vec<String>,
    /// `namespace/name` of the Secret that holds the private age key in the cluster. Empty where no
    /// recipient is an age key.
    #[serde(default)]
    pub key_secret: String,
}

impl Secrets {
    /// Whether no recipient is an age key: then who may decrypt is compared by name, and nothing is
    /// decrypted.
    pub fn is_sealed_to_services(&self) -> bool {
        !self.recipients.is_empty() && !self.recipients.iter().any(|one| is_age(one))
    }
}

/// Whether a recipient is a public age key.
pub(super) fn is_age(recipient: &str) -> bool {
    recipient.starts_with("age1")
}

/// A named target.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Endpoint {
    /// Namespace of the pods.
    #[serde(rename = "in")]
    pub namespace: Option<String>,
    /// Labels of the pods.
    #[serde(default)]
    pub pods: BTreeMap<String, String>,
    /// A target that is no pod.
    pub entity: Option<Entity>,
    /// Container ports.
    pub ports: Vec<Port>,
    /// The proof that is enough for a deny; a receipt unless the contract says otherwise.
    #[serde(default = "receipt")]
    pub proof: ProofLevel,
}

const fn receipt() -> ProofLevel {
    ProofLevel::Receipt
}

/// Targets that are no pods of the pod network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entity {
    /// The Kubernetes API server.
    Apiserver,
    /// Every node, at its own address.
    Node,
}

/// One allowance.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// `each-tenant`, or the name of one tenant.
    pub from: String,
    /// `same-tenant`, or names of endpoints.
    #[serde(deserialize_with = "flow_target")]
    pub to: FlowTarget,
}

/// Where a flow may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowTarget {
    /// Every pod and port of the same tenant.
    SameTenant,
    /// Endpoints by name, on their ports.
    Endpoints(Vec<String>),
}

/// Organisations of the telemetry stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Telemetry {
    /// `namespace/service:port` of Loki.
    pub logs: String,
    /// `namespace/service:port` of Mimir.
    pub metrics: String,
    /// What decides the organisation.
    pub org_from: OrgSource,
    /// The namespace in which Grafana's data sources are provisioned; where the contract names
    /// one, every tenant must have its own there.
    #[serde(default)]
    pub data_sources: Option<String>,
}

/// What decides the organisation of a telemetry item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrgSource {
    /// The sender's `X-Scope-OrgID` header, trusted.
    Header,
    /// The receiver it came in by.
    Receiver,
}

/// Behaviour that Kubernetes leaves to the implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recorded {
    /// A pod to itself.
    Hairpin,
    /// A node to its own pods.
    NodeToOwnPod,
}

/// A Git repository and the folder that stands for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// The address as GitRepository objects of the layout write it.
    pub url: String,
    /// A folder, relative to the layout's root; `.` is the layout itself.
    pub path: String,
}

impl Contract {
    /// Read `partywall.yaml`.
    pub fn load(file: &str, text: &str) -> Result<Self, LoadError> {
        let contract: Self = load(file, text)?;
        let expected = ("partywall.dev/v1alpha1", "Contract");
        if (contract.api_version.as_str(), contract.kind.as_str()) != expected {
            let message = format!(
                "apiVersion and kind must be {} and {}, not {} and {}",
                expected.0, expected.1, contract.api_version, contract.kind
            );
            return Err(LoadError::at(file, 1, message));
        }
        Ok(contract)
    }

    /// The tenant of this name.
    pub fn tenant(&self, name: &str) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| tenant.name == name)
    }

    /// Whether it says where Grafana's data sources are provisioned.
    pub fn has_data_sources(&self) -> bool {
        self.telemetry.as_ref().is_some_and(|stores| stores.data_sources.is_some())
    }

    /// The tenant that owns a namespace.
    pub fn tenant_of(&self, namespace: &str) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| tenant.namespaces.iter().any(|own| own == namespace))
    }

    /// Names of the endpoints that a tenant may reach.
    pub fn allowed_endpoints(&self, tenant: &str) -> Vec<&str> {
        let flows = self.flows.iter().filter(|flow| flow.applies_to(tenant));
        let names = flows.flat_map(|flow| match &flow.to {
            FlowTarget::SameTenant => &[][..],
            FlowTarget::Endpoints(names) => names,
        });
        names.map(String::as_str).collect()
    }

    /// The platform's namespaces in which tenants may reach something. The cluster's name server
    /// answers everybody, so that its namespace is none of them.
    pub fn shared_namespaces(&self) -> Vec<String> {
        let targets = self.flows.iter().flat_map(|flow| match &flow.to {
            FlowTarget::SameTenant => &[][..],
            FlowTarget::Endpoints(names) => names,
        });
        let ends: Vec<&Endpoint> = targets.filter_map(|name| self.endpoints.get(name)).collect();
        let names_in = |namespace: &str| {
            let mut here = ends.iter().filter(|one| one.namespace.as_deref() == Some(namespace));
            here.any(|one| one.ports.contains(&Port::udp(NAME_SERVER_PORT)))
        };
        let is_end =
            |namespace: &str| ends.iter().any(|one| one.namespace.as_deref() == Some(namespace));
        let shared = self.platform.iter().filter(|name| is_end(name) && !names_in(name));
        shared.cloned().collect()
    }

    /// Whether a tenant's pods may reach each other.
    pub fn allows_same_tenant(&self, tenant: &str) -> bool {
        let mut flows = self.flows.iter().filter(|flow| flow.applies_to(tenant));
        flows.any(|flow| flow.to == FlowTarget::SameTenant)
    }

    /// Whether a tenant may reach a port of pods with these labels in a namespace.
    pub fn allows(
        &self,
        tenant: &str,
        namespace: &str,
        labels: &BTreeMap<String, String>,
        port: Port,
    ) -> bool {
        let mut names = self.allowed_endpoints(tenant).into_iter();
        names.any(|name| {
            self.endpoints.get(name).is_some_and(|endpoint| {
                endpoint.selects(namespace, labels) && endpoint.ports.contains(&port)
            })
        })
    }
}

impl Flow {
    /// Whether the flow is about this tenant.
    pub fn applies_to(&self, tenant: &str) -> bool {
        self.from == "each-tenant" || self.from == tenant
    }
}

/// On which name servers are asked.
const NAME_SERVER_PORT: u16 = 53;

impl Endpoint {
    /// Whether the endpoint's pods are those with these labels in this namespace.
    pub fn selects(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        self.namespace.as_deref() == Some(namespace)
            && !self.pods.is_empty()
            && self.pods.iter().all(|(key, value)| labels.get(key) == Some(value))
    }
}

fn flow_target<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<FlowTarget, D::Error> {
    struct TargetVisitor;
    impl<'de> serde::de::Visitor<'de> for TargetVisitor {
        type Value = FlowTarget;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("`same-tenant` or a list of endpoint names")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<FlowTarget, E> {
            match text {
                "same-tenant" => Ok(FlowTarget::SameTenant),
                other => Ok(FlowTarget::Endpoints(vec![other.to_string()])),
            }
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(
            self,
            mut access: A,
        ) -> Result<FlowTarget, A::Error> {
            let mut names = Vec::new();
            while let Some(name) = access.next_element()? {
                names.push(name);
            }
            Ok(FlowTarget::Endpoints(names))
        }
    }
    deserializer.deserialize_any(TargetVisitor)
}
