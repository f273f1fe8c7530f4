//! The table of hostile objects.

use serde::{Deserialize, Serialize};

/// What an applied object is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: that it was applied is the breach.
    Breach,
    /// The same, where Flux has still to act on it with an account of the tenant.
    Release,
    /// The walls of its namespace, each alone, and the neighbour's.
    Walls,
    /// The pod that it makes, as client and as target.
    Pod,
    /// What a tenant's pod reaches through the Service.
    Service,
    /// The API server through the Service.
    Apiserver,
    /// Who reaches the tenant's pods through the Service from outside.
    Exposed,
    /// Where a neighbour's traffic to a shared service lands.
    Hijack,
    /// What it does depends on something that no layout holds: shown, not judged.
    Recorded,
}

/// A hostile object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hostile {
    /// A NetworkPolicy of its own that allows everything.
    AllowAllPolicy,
    /// A NetworkPolicy of its own that allows a neighbour's namespace, both ways.
    NeighbourPolicy,
    /// The labels of a shared service's namespace on its own.
    SharedLabel,
    /// Pod Security `privileged` on its own namespace.
    PrivilegedLabel,
    /// An EndpointSlice of its own Service that points at a neighbour's pod.
    SliceNeighbour,
    /// The same at 127.0.0.1.
    SliceLoopback,
    /// The same at 169.254.169.254, where clouds keep credentials.
    SliceMetadata,
    /// Endpoints of its own Service that point at a neighbour's pod.
    EndpointsNeighbour,
    /// The same at 127.0.0.1.
    EndpointsLoopback,
    /// The same at 169.254.169.254.
    EndpointsMetadata,
    /// A Service that is another name of a neighbour's.
    ExternalNameNeighbour,
    /// A Service that is another name of the API server's.
    ExternalNameApiserver,
    /// A Service that is another name of `localhost`, for whoever follows it.
    ExternalNameLocalhost,
    /// A Service that claims the address of a shared service.
    ExternalIps,
    /// A Service on a port of every node.
    NodePort,
    /// A Service that asks for an address outside of the cluster.
    LoadBalancer,
    /// An Ingress that claims a neighbour's host name.
    NeighbourHost,
    /// A pod that wears the labels of a shared service.
    LabelledPod,
    /// A pod on its node's network, where no policy stands.
    HostNetworkPod,
    /// A pod on a port of its node.
    HostPortPod,
    /// A pod among its node's processes.
    HostPidPod,
    /// A privileged pod.
    PrivilegedPod,
    /// A pod with its node's files.
    HostPathPod,
    /// A ConfigMap in a neighbour's namespace.
    ForeignConfigMap,
    /// A pod in a neighbour's namespace.
    ForeignPod,
    /// A HelmRelease whose `targetNamespace` is a neighbour's.
    ReleaseIntoNeighbour,
    /// A HelmRelease whose `storageNamespace` is a neighbour's.
    ReleaseStoredAtNeighbour,
    /// A HelmRelease with the name of the platform's service account.
    ReleaseWithPlatformAccount,
    /// A HelmRelease that takes its values from a neighbour's Secret.
    ReleaseValuesOfNeighbour,
    /// A Kustomization with the name of the platform's service account, into a neighbour's namespace.
    KustomizationWithPlatformAccount,
    /// A Kustomization beside the platform's own, with the platform's service account.
    PlatformKustomization,
    /// A ClusterRoleBinding of its own account to cluster-admin.
    ClusterAdminBinding,
    /// A RoleBinding of its own account to cluster-admin in its own namespace.
    NamespaceAdminBinding,
    /// A RoleBinding of its own account in a neighbour's namespace.
    NeighbourBinding,
    /// A Role that may do everything.
    WiderRole,
}

impl Hostile {
    /// Every one.
    pub const ALL: [Self; 35] = [
        Self::AllowAllPolicy,
        Self::NeighbourPolicy,
        Self::SharedLabel,
        Self::PrivilegedLabel,
        Self::SliceNeighbour,
        Self::SliceLoopback,
        Self::SliceMetadata,
        Self::EndpointsNeighbour,
        Self::EndpointsLoopback,
        Self::EndpointsMetadata,
        Self::ExternalNameNeighbour,
        Self::ExternalNameApiserver,
        Self::ExternalNameLocalhost,
        Self::ExternalIps,
        Self::NodePort,
        Self::LoadBalancer,
        Self::NeighbourHost,
        Self::LabelledPod,
        Self::HostNetworkPod,
        Self::HostPortPod,
        Self::HostPidPod,
        Self::PrivilegedPod,
        Self::HostPathPod,
        Self::ForeignConfigMap,
        Self::ForeignPod,
        Self::ReleaseIntoNeighbour,
        Self::ReleaseStoredAtNeighbour,
        Self::ReleaseWithPlatformAccount,
        Self::ReleaseValuesOfNeighbour,
        Self::KustomizationWithPlatformAccount,
        Self::PlatformKustomization,
        Self::ClusterAdminBinding,
        Self::NamespaceAdminBinding,
        Self::NeighbourBinding,
        Self::WiderRole,
    ];

    /// Its name in a scenario.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AllowAllPolicy => "allow-all-policy",
            Self::NeighbourPolicy => "neighbour-policy",
            Self::SharedLabel => "shared-label",
            Self::PrivilegedLabel => "privileged-label",
            Self::SliceNeighbour => "slice-neighbour",
            Self::SliceLoopback => "slice-loopback",
            Self::SliceMetadata => "slice-metadata",
            Self::EndpointsNeighbour => "endpoints-neighbour",
            Self::EndpointsLoopback => "endpoints-loopback",
            Self::EndpointsMetadata => "endpoints-metadata",
            Self::ExternalNameNeighbour => "external-name-neighbour",
            Self::ExternalNameApiserver => "external-name-apiserver",
            Self::ExternalNameLocalhost => "external-name-localhost",
            Self::ExternalIps => "external-ips",
            Self::NodePort => "node-port",
            Self::LoadBalancer => "load-balancer",
            Self::NeighbourHost => "neighbour-host",
            Self::LabelledPod => "labelled-pod",
            Self::HostNetworkPod => "host-network-pod",
            Self::HostPortPod => "host-port-pod",
            Self::HostPidPod => "host-pid-pod",
            Self::PrivilegedPod => "privileged-pod",
            Self::HostPathPod => "host-path-pod",
            Self::ForeignConfigMap => "foreign-config-map",
            Self::ForeignPod => "foreign-pod",
            Self::ReleaseIntoNeighbour => "release-into-neighbour",
            Self::ReleaseStoredAtNeighbour => "release-stored-at-neighbour",
            Self::ReleaseWithPlatformAccount => "release-with-platform-account",
            Self::ReleaseValuesOfNeighbour => "release-values-of-neighbour",
            Self::KustomizationWithPlatformAccount => "kustomization-with-platform-account",
            Self::PlatformKustomization => "platform-kustomization",
            Self::ClusterAdminBinding => "cluster-admin-binding",
            Self::NamespaceAdminBinding => "namespace-admin-binding",
            Self::NeighbourBinding => "neighbour-binding",
            Self::WiderRole => "wider-role",
        }
    }

    /// Its objects as YAML: the hostile one first, then what it needs beside it.
    pub(super) const fn template(self) -> &'static str {
        match self {
            Self::AllowAllPolicy => include_str!("objects/allow-all-policy.yaml"),
            Self::NeighbourPolicy => include_str!("objects/neighbour-policy.yaml"),
            Self::SharedLabel => include_str!("objects/shared-label.yaml"),
            Self::PrivilegedLabel => include_str!("objects/privileged-label.yaml"),
            Self::SliceNeighbour => include_str!("objects/slice-neighbour.yaml"),
            Self::SliceLoopback => include_str!("objects/slice-loopback.yaml"),
            Self::SliceMetadata => include_str!("objects/slice-metadata.yaml"),
            Self::EndpointsNeighbour => include_str!("objects/endpoints-neighbour.yaml"),
            Self::EndpointsLoopback => include_str!("objects/endpoints-loopback.yaml"),
            Self::EndpointsMetadata => include_str!("objects/endpoints-metadata.yaml"),
            Self::ExternalNameNeighbour => include_str!("objects/external-name-neighbour.yaml"),
            Self::ExternalNameApiserver => include_str!("objects/external-name-apiserver.yaml"),
            Self::ExternalNameLocalhost => include_str!("objects/external-name-localhost.yaml"),
            Self::ExternalIps => include_str!("objects/external-ips.yaml"),
            Self::NodePort => include_str!("objects/node-port.yaml"),
            Self::LoadBalancer => include_str!("objects/load-balancer.yaml"),
            Self::NeighbourHost => include_str!("objects/neighbour-host.yaml"),
            Self::LabelledPod => include_str!("objects/labelled-pod.yaml"),
            Self::HostNetworkPod => include_str!("objects/host-network-pod.yaml"),
            Self::HostPortPod => include_str!("objects/host-port-pod.yaml"),
            Self::HostPidPod => include_str!("objects/host-pid-pod.yaml"),
            Self::PrivilegedPod => include_str!("objects/privileged-pod.yaml"),
            Self::HostPathPod => include_str!("objects/host-path-pod.yaml"),
            Self::ForeignConfigMap => include_str!("objects/foreign-config-map.yaml"),
            Self::ForeignPod => include_str!("objects/foreign-pod.yaml"),
            Self::ReleaseIntoNeighbour => include_str!("objects/release-into-neighbour.yaml"),
            Self::ReleaseStoredAtNeighbour => {
                include_str!("objects/release-stored-at-neighbour.yaml")
            }
            Self::ReleaseWithPlatformAccount => {
                include_str!("objects/release-with-platform-account.yaml")
            }
            Self::ReleaseValuesOfNeighbour => {
                include_str!("objects/release-values-of-neighbour.yaml")
            }
            Self::KustomizationWithPlatformAccount => {
                include_str!("objects/kustomization-with-platform-account.yaml")
            }
            Self::PlatformKustomization => include_str!("objects/platform-kustomization.yaml"),
            Self::ClusterAdminBinding => include_str!("objects/cluster-admin-binding.yaml"),
            Self::NamespaceAdminBinding => include_str!("objects/namespace-admin-binding.yaml"),
            Self::NeighbourBinding => include_str!("objects/neighbour-binding.yaml"),
            Self::WiderRole => include_str!("objects/wider-role.yaml"),
        }
    }

    /// What it is asked about once it was applied.
    pub const fn effect(self) -> Effect {
        match self {
            Self::AllowAllPolicy | Self::NeighbourPolicy => Effect::Walls,
            Self::SharedLabel
            | Self::PrivilegedLabel
            | Self::SliceLoopback
            | Self::SliceMetadata
            | Self::EndpointsLoopback
            | Self::EndpointsMetadata
            | Self::HostNetworkPod
            | Self::HostPortPod
            | Self::HostPidPod
            | Self::PrivilegedPod
            | Self::HostPathPod
            | Self::ForeignConfigMap
            | Self::ForeignPod
            | Self::ReleaseValuesOfNeighbour
            | Self::KustomizationWithPlatformAccount
            | Self::PlatformKustomization
            | Self::ClusterAdminBinding
            | Self::NamespaceAdminBinding
            | Self::NeighbourBinding
            | Self::WiderRole => Effect::Breach,
            Self::SliceNeighbour | Self::EndpointsNeighbour | Self::ExternalNameNeighbour => {
                Effect::Service
            }
            Self::ExternalNameApiserver => Effect::Apiserver,
            Self::ExternalNameLocalhost | Self::NeighbourHost => Effect::Recorded,
            Self::ExternalIps => Effect::Hijack,
            Self::NodePort | Self::LoadBalancer => Effect::Exposed,
            Self::LabelledPod => Effect::Pod,
            Self::ReleaseIntoNeighbour
            | Self::ReleaseStoredAtNeighbour
            | Self::ReleaseWithPlatformAccount => Effect::Release,
        }
    }

    /// Whether it changes what others reach, so that nothing else may be asked while it stands.
    pub const fn stands_alone(self) -> bool {
        matches!(
            self,
            Self::AllowAllPolicy
                | Self::NeighbourPolicy
                | Self::SharedLabel
                | Self::PrivilegedLabel
                | Self::ExternalIps
        )
    }
}
