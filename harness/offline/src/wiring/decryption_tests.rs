use rstest::rstest;

use super::*;
use crate::defect::FluxObject;
use crate::render::Object;
use crate::wiring::samples::{SEALED, layout, rendered, secret};

const FILE: &str = "customers/a/secrets.yaml";

fn found(spec: &str, object: impl Fn(&Layout) -> Object, said: &str) -> Vec<Defect> {
    let flux = format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: a, namespace: f}}\nspec:\n  {spec}\n"
    );
    let layout = layout(&[("flux.yaml", &flux), (FILE, SEALED)]);
    let mut rendered = rendered(&layout, &[]);
    rendered.objects.push(object(&layout));
    rendered.flux.push(FluxObject {
        kind: "Kustomization".to_string(),
        namespace: "f".to_string(),
        name: "a".to_string(),
        ready: said.is_empty(),
        reason: String::new(),
        message: said.to_string(),
    });
    findings(&layout, &rendered)
}

fn generated(_: &Layout) -> Object {
    secret("a", "s-2456789bcd", SEALED, "Kustomization f/a")
}

fn manifest(_: &Layout) -> Object {
    let mut object = secret("a", "s", "x", "Kustomization f/a");
    object.origin.file = FILE.to_string();
    object.value["sops"] = serde_json::json!({"mac": "x"});
    object
}

fn plain(_: &Layout) -> Object {
    secret("a", "s", "password: x", "Kustomization f/a")
}

#[rstest]
#[case::opened("decryption: {provider: sops}", generated, 0)]
#[case::generated("prune: true", generated, 1)]
#[case::manifest("prune: true", manifest, 1)]
#[case::opened_manifest("decryption: {provider: sops}", manifest, 0)]
#[case::not_sealed("prune: true", plain, 0)]
fn sealed_files_are_opened(
    #[case] spec: &str,
    #[case] object: fn(&Layout) -> Object,
    #[case] expected: usize,
) {
    let found = found(spec, object, "");
    assert_eq!(found.len(), expected);
    for defect in found {
        assert_eq!(defect.name, DECRYPTION_MISSING);
        assert_eq!(defect.object, "Kustomization f/a");
        assert_eq!(defect.location.unwrap().to_string(), "flux.yaml:5");
        assert!(defect.summary.contains(FILE), "{}", defect.summary);
    }
}

#[test]
fn what_flux_itself_says_is_not_said_twice() {
    let said = "Secret/a/s is SOPS encrypted, configuring decryption is required";
    assert_eq!(found("prune: true", manifest, said), []);
}
