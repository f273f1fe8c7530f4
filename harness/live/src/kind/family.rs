//! Clusters whose pods have IPv6 addresses beside their IPv4 ones.
//!
//! The manifests of `kind-config/` are those of a cluster of IPv4 alone; what differs is little and
//! stands here, beside the texts that it changes.

use serde_json::json;

use super::error::UpError;
use crate::manifests::{CALICO, CALICO_DATASTORE, CLUSTER, objects};
use crate::observe::harness_pods::object;
use crate::session::Session;
use crate::spec::IpFamily;

const PODS: &str = "fd00:10:244::/56";
/// What a cluster's configuration says, and what it says with both families.
const CLUSTER_CHANGES: [(&str, &str); 4] = [
    ("ipFamily: ipv4", "ipFamily: dual"),
    ("podSubnet: 10.244.0.0/16", "podSubnet: \"10.244.0.0/16,fd00:10:244::/56\""),
    ("serviceSubnet: 10.96.0.0/16", "serviceSubnet: \"10.96.0.0/16,fd00:10:96::/112\""),
    (
        "            node-cidr-mask-size: \"22\"",
        "            node-cidr-mask-size-ipv4: \"22\"\n            node-cidr-mask-size-ipv6: \"64\"",
    ),
];
/// The same of Calico: addresses of both families for a pod, and policies for both.
const CALICO_CHANGES: [(&str, &str); 2] = [
    (
        "\"ipam\": {\"type\": \"host-local\", \"subnet\": \"usePodCidr\"}",
        "\"ipam\": {\"type\": \"host-local\", \"ranges\": \
         [[{\"subnet\": \"usePodCidr\"}], [{\"subnet\": \"usePodCidrIPv6\"}]]}",
    ),
    ("{name: FELIX_IPV6SUPPORT, value: \"false\"}", "{name: FELIX_IPV6SUPPORT, value: \"true\"}"),
];

/// The configuration of a cluster of this family.
pub(crate) fn cluster(family: IpFamily) -> String {
    match family {
        IpFamily::Ipv4 => CLUSTER.to_string(),
        IpFamily::Dual => changed(CLUSTER, &CLUSTER_CHANGES),
    }
}

/// Calico for a cluster of this family.
pub(crate) fn calico(family: IpFamily) -> String {
    match family {
        IpFamily::Ipv4 => CALICO.to_string(),
        IpFamily::Dual => changed(CALICO, &CALICO_CHANGES),
    }
}

/// What Felix reads before it programs anything.
pub(crate) fn datastore(family: IpFamily) -> Result<Vec<kube::api::DynamicObject>, UpError> {
    let mut found = objects("cni/datastore.yaml", CALICO_DATASTORE)?;
    if family == IpFamily::Dual {
        found.push(object(json!({
            "apiVersion": "crd.projectcalico.org/v1",
            "kind": "IPPool",
            "metadata": {"name": "default-ipv6"},
            "spec": {
                "cidr": PODS, "blockSize": 122, "ipipMode": "Never", "vxlanMode": "Never",
                "natOutgoing": true, "nodeSelector": "all()",
            },
        })));
    }
    Ok(found)
}

/// What the session's Docker network needs for it. Docker chooses no IPv6 range by itself, so it
/// follows from the name: sessions beside each other must differ.
pub(crate) fn network_options(session: &Session) -> Vec<String> {
    match session.ip_family {
        IpFamily::Ipv4 => Vec::new(),
        IpFamily::Dual => {
            vec!["--ipv6".to_string(), "--subnet".to_string(), range_of(&session.name)]
        }
    }
}

/// A range of those that belong to nobody, by a hash (FNV-1a) of the name.
fn range_of(name: &str) -> String {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let [a, b, c, d, e, ..] = hash.to_be_bytes();
    format!("fd{a:02x}:{b:02x}{c:02x}:{d:02x}{e:02x}::/64")
}

fn changed(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_string(), |text, (from, to)| text.replacen(from, to, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_finds_what_it_changes() {
        for (text, changes) in
            [(CLUSTER, CLUSTER_CHANGES.as_slice()), (CALICO, CALICO_CHANGES.as_slice())]
        {
            for (from, to) in changes {
                assert_eq!(text.matches(from).count(), 1, "{from}");
                assert!(changed(text, changes).contains(to), "{to}");
            }
        }
        assert_eq!(cluster(IpFamily::Ipv4), CLUSTER);
    }

    #[test]
    fn sessions_have_ranges_of_their_own() {
        assert_ne!(range_of("one"), range_of("two"));
        let address = range_of("one").replace("/64", "");
        assert!(address.parse::<std::net::Ipv6Addr>().is_ok(), "{address}");
    }
}
