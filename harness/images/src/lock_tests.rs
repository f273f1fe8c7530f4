use rstest::rstest;

use super::*;

/// A lock file with one component of each shape.
pub(crate) const SMALL: &str = r#"
apiVersion: partywall.dev/v1alpha1
kind: ImagesLock
components:
  - name: base
    version: bookworm
    debootstrap: {suite: bookworm, packages: [git]}
    image: {preload: false}
  - name: rootfs
    version: bookworm
    debootstrap: {suite: bookworm, packages: [systemd]}
  - name: kubernetes
    version: v1.34.4
    go: {module: kubernetes, programs: {kubernetes: .}, variables: {a.B: v1}}
    image: {names: [kube-apiserver, kube-proxy], base: base, inNode: true}
  - name: loki
    version: v3.7.8
    go: {module: loki, programs: {loki: example.org/loki}}
    image:
      tag: 3.7.8
      published: {reference: "docker.io/grafana/loki:3.7.8"}
  - name: git-server
    version: 0.1.0
    go: {module: git-server, programs: {git-server: .}}
    image: {base: base, preload: false}
  - name: kind
    version: v0.33.0
    go: {module: kind, programs: {kind: sigs.k8s.io/kind}}
  - name: node
    version: v1.34.4
    node: {rootfs: rootfs, kubernetes: kubernetes, folder: node-image}
    image: {preload: false, published: {reference: "docker.io/kindest/node:v1.34.0"}}
"#;

#[test]
fn reads_names_tags_and_needs() {
    let lock = Lock::parse(SMALL).unwrap();
    let kubernetes = lock.component("kubernetes").unwrap();
    assert_eq!(
        kubernetes.local_references(),
        ["partywall.local/kube-apiserver:v1.34.4", "partywall.local/kube-proxy:v1.34.4"]
    );
    assert_eq!(kubernetes.needs(), ["base"]);
    assert_eq!(lock.component("loki").unwrap().tag(), "3.7.8");
    assert_eq!(lock.component("node").unwrap().needs(), ["rootfs", "kubernetes"]);
    assert!(lock.component("kind").unwrap().image_names().is_empty());
    assert_eq!(lock.component_of_image("kube-proxy").unwrap().name, "kubernetes");
}

#[test]
fn reads_the_lock_file_of_this_repository() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../kind-config/images.lock");
    let lock = Lock::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    let modules = std::path::Path::new(path).with_file_name("modules");
    for component in &lock.components {
        if let Recipe::Go(go) = component.recipe() {
            assert!(modules.join(&go.module).join("go.mod").is_file(), "{}", go.module);
        }
    }
}

#[rstest]
#[case::unknown_key("tag: 3.7.8", "tags: 3.7.8", "tags")]
#[case::two_of_a_name("name: loki", "name: kind", "`kind` stands there twice")]
#[case::two_of_an_image(
    "names: [kube-apiserver, kube-proxy]",
    "names: [loki]",
    "`loki` stands there twice"
)]
#[case::missing_base("base: base, inNode", "base: debian, inNode", "`kubernetes` needs `debian`")]
#[case::no_recipe(
    "go: {module: kind, programs: {kind: sigs.k8s.io/kind}}",
    "",
    "`kind` needs exactly one of"
)]
#[case::no_tag("grafana/loki:3.7.8", "grafana/loki", "must be HOST/NAME:TAG")]
#[case::no_host("docker.io/grafana/loki:3.7.8", "grafana/loki:3.7.8", "must be HOST/NAME:TAG")]
#[case::no_digest(
    "loki:3.7.8\"}",
    "loki:3.7.8\", digest: sha256:abc}",
    "`sha256:abc` is no sha256 digest"
)]
#[case::another_kind(
    "kind: ImagesLock",
    "kind: Contract",
    "found `partywall.dev/v1alpha1 Contract`"
)]
fn refuses(#[case] from: &str, #[case] to: &str, #[case] message: &str) {
    let text = SMALL.replacen(from, to, 1);
    assert_ne!(text, SMALL, "the case changes nothing");
    let error = Lock::parse(&text).unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}
