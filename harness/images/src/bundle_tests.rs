use super::*;
use crate::lock::tests::SMALL;

fn bundle(root: &std::path::Path) -> Bundle {
    std::fs::create_dir_all(root.join("kind-config")).unwrap();
    std::fs::write(root.join("kind-config/images.lock"), SMALL).unwrap();
    Bundle::open(Workspace::new(root).with_cache(root.join("cache"))).unwrap()
}

#[test]
fn a_name_leads_to_the_reference_of_the_mode() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = bundle(dir.path());
    let resolve = |mode: &Mode, name: &str| bundle.resolve(mode, name).unwrap();
    let published = Mode::Registry { mirror: None };
    let mirror = Mode::Registry { mirror: Some("m:1".to_owned()) };
    assert_eq!(resolve(&Mode::Bundle, "loki"), "partywall.local/loki:3.7.8");
    assert_eq!(resolve(&published, "loki"), "docker.io/grafana/loki:3.7.8");
    assert_eq!(resolve(&mirror, "loki"), "m:1/grafana/loki:3.7.8");
    assert_eq!(resolve(&published, "git-server"), "partywall.local/git-server:0.1.0");
    assert_eq!(resolve(&published, "node"), "partywall.local/node:v1.34.0-registry");
    let references = bundle.references(&Mode::Bundle);
    assert_eq!(references["partywall.local/kube-proxy"], "partywall.local/kube-proxy:v1.34.4");
}

#[test]
fn unknown_and_unbuilt_names_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = bundle(dir.path());
    let error = bundle.resolve(&Mode::Bundle, "flannel").unwrap_err();
    assert_eq!(error.to_string(), "images.lock has no image or program `flannel`");
    let module = dir.path().join("kind-config/modules/kind");
    std::fs::create_dir_all(&module).unwrap();
    std::fs::write(module.join("go.mod"), "module kind\n").unwrap();
    let error = bundle.program("kind").unwrap_err();
    assert_eq!(error.to_string(), "`kind` is not built (hint: partywall images build)");
}

#[test]
fn a_missing_lock_file_is_named() {
    let error = Bundle::open(Workspace::new("/no/such")).unwrap_err();
    assert_eq!(error.to_string(), "failed to access /no/such/kind-config/images.lock");
}
