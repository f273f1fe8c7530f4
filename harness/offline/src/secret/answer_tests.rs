use partywall_core::check::judge;
use partywall_core::cluster::Backend;
use partywall_core::inventory::Inventory;
use partywall_core::plan::{plan, trials};
use partywall_core::probe::Probe;
use partywall_core::scenario::load_scenario;
use partywall_core::verdict::Verdict;
use rstest::rstest;

use super::*;
use crate::defect::FluxObject;
use crate::wiring::samples::{
    OTHER, OWNER, SEALED, SEALED_TO_TWO, contract, layout, rendered, secret,
};

const OWNER_KEY: &str = include_str!("../../tests/data/owner-TEST-ONLY.key");
const OTHER_KEY: &str = include_str!("../../tests/data/other-TEST-ONLY.key");
const FILE: &str = "customers/a/secrets.yaml";
const DECRYPTION: &str = "  decryption:\n    provider: sops\n    secretRef: {name: key-a}\n";
const RELEASE: &str = "apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: app, namespace: customer-a}
spec:
  valuesFrom:
    - {kind: Secret, name: values-2456789bcd}
";

/// A tenant's folder as Flux would apply it.
struct World {
    decryption: &'static str,
    sealed: String,
    carried: bool,
    ready: bool,
}

impl Default for World {
    fn default() -> Self {
        Self { decryption: DECRYPTION, sealed: SEALED.to_string(), carried: true, ready: true }
    }
}

impl World {
    fn layout(&self) -> Layout {
        let kustomization = format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: a, namespace: f}}\nspec:\n  path: ./customers/a\n{}",
            self.decryption
        );
        layout(&[("flux.yaml", &kustomization), ("base/hr.yaml", RELEASE), (FILE, &self.sealed)])
    }

    fn rendered(&self, layout: &Layout) -> Rendered {
        let by = "Kustomization f/a";
        let mut rendered = rendered(layout, &[("base/hr.yaml", by)]);
        let text = if self.carried { &self.sealed } else { "other: x\n" };
        rendered.objects.push(secret("customer-a", "values-2456789bcd", text, by));
        rendered.flux.push(FluxObject {
            kind: "Kustomization".to_string(),
            namespace: "f".to_string(),
            name: "a".to_string(),
            ready: self.ready,
            reason: String::new(),
            message: String::new(),
        });
        rendered
    }

    fn judged(&self, scenario: &str, contract: &Contract, keys: &Keys) -> Verdict {
        let layout = self.layout();
        judged(scenario, &layout, &self.rendered(&layout), contract, keys)
    }
}

fn text_of(scenario: &str) -> &'static str {
    match scenario {
        "arrives-decrypted" => {
            include_str!("../../../../scenarios/secrets/arrives-decrypted.yaml")
        }
        "own-key-only" => include_str!("../../../../scenarios/secrets/own-key-only.yaml"),
        "wrong-key" => include_str!("../../../../scenarios/secrets/wrong-key.yaml"),
        _ => include_str!("../../../../scenarios/secrets/nothing-readable-in-git.yaml"),
    }
}

fn judged(
    scenario: &str,
    layout: &Layout,
    rendered: &Rendered,
    contract: &Contract,
    keys: &Keys,
) -> Verdict {
    let path = format!("secrets/{scenario}.yaml");
    let scenario = load_scenario(&path, text_of(scenario)).unwrap();
    let trials = trials(Backend::Offline, &[scenario], contract);
    let plan = plan(&trials, contract, &Inventory::default());
    let Probe::Secret(probe) = &plan.batch.probes[0] else { panic!("not a secret probe") };
    assert_eq!(probe.tenant.name, "customer-a");
    let seen = [answer(layout, rendered, contract, keys, probe)];
    judge(&plan, &trials[0], &plan.cells[0], &seen)
}

fn keys(text: &str) -> Keys {
    Keys::from_texts([("keys", text)], &contract()).unwrap()
}

fn both() -> Keys {
    keys(&format!("{OWNER_KEY}\n{OTHER_KEY}"))
}

/// `word: reason`, or the word alone.
fn said(verdict: &Verdict) -> String {
    match verdict.reason() {
        "" => verdict.word().to_string(),
        reason => format!("{}: {reason}", verdict.word()),
    }
}

#[rstest]
#[case::with_keys(both())]
#[case::with_own_key(keys(OWNER_KEY))]
#[case::with_anothers_key(keys(OTHER_KEY))]
#[case::without_keys(Keys::default())]
fn a_tenant_with_its_own_key_holds(#[case] keys: Keys) {
    let world = World::default();
    for scenario in ["arrives-decrypted", "own-key-only", "wrong-key", "nothing-readable-in-git"] {
        let verdict = world.judged(scenario, &contract(), &keys);
        assert_eq!(said(&verdict), "holds", "{scenario}");
    }
}

#[rstest]
#[case::with_keys(both())]
#[case::without_keys(Keys::default())]
fn a_second_recipient_is_a_violation(#[case] keys: Keys) {
    let world = World { sealed: SEALED_TO_TWO.to_string(), ..World::default() };
    let verdict = world.judged("own-key-only", &contract(), &keys);
    let expected = "the key of customer-b opens customers/a/secrets.yaml of customer-a";
    assert_eq!(said(&verdict), format!("violated: {expected}"));
}

#[rstest]
#[case::age(SEALED_TO_TWO.to_string(), OTHER, 21)]
#[case::cloud(
    SEALED.replace("sops:\n", "sops:\n    gcp_kms: [{resource_id: projects/p/k, enc: e}]\n"),
    "projects/p/k",
    20
)]
fn a_stranger_is_a_violation(#[case] sealed: String, #[case] who: &str, #[case] line: u64) {
    let mut contract = contract();
    contract.tenants[1].secrets.as_mut().unwrap().recipients = vec!["age1b".to_string()];
    let world = World { sealed, ..World::default() };
    let expected = format!(
        "violated: {FILE} is sealed to {who} ({FILE}:{line}), who is nobody of the contract"
    );
    for keys in [keys(OWNER_KEY), Keys::default()] {
        assert_eq!(said(&world.judged("own-key-only", &contract, &keys)), expected);
    }
}

/// An operator whom both tenants list may open the file; that alone does not make it one's own.
#[test]
fn a_file_that_only_an_operator_opens_is_nobodys_own() {
    let mut contract = contract();
    for (tenant, own) in contract.tenants.iter_mut().zip(["age1a", "age1b"]) {
        let recipients = vec![own.to_string(), OWNER.to_string()];
        tenant.secrets.as_mut().unwrap().recipients = recipients;
    }
    let said = said(&World::default().judged("own-key-only", &contract, &Keys::default()));
    assert!(said.starts_with("undetermined: customer-a's own key does not open"), "{said}");
}

#[rstest]
#[case::no_decryption(
    "",
    "violated: entry `",
    "differs from what went in by customers/a/secrets.yaml"
)]
#[case::foreign_key(
    "  decryption: {provider: sops, secretRef: {name: key-b}}\n",
    "undetermined: ",
    "does not open customers/a/secrets.yaml"
)]
#[case::controllers_key(
    "  decryption: {provider: sops}\n",
    "undetermined: ",
    "with the controller's own keys"
)]
fn what_is_not_opened_does_not_arrive(
    #[case] decryption: &'static str,
    #[case] begin: &str,
    #[case] part: &str,
    #[values(both(), Keys::default())] keys: Keys,
) {
    let world = World { decryption, ..World::default() };
    let said = said(&world.judged("arrives-decrypted", &contract(), &keys));
    assert!(said.starts_with(begin) && said.contains(part), "{said}");
}

#[test]
fn what_is_not_carried_does_not_arrive() {
    let world = World { carried: false, ..World::default() };
    let said = said(&world.judged("arrives-decrypted", &contract(), &both()));
    assert!(said.starts_with("violated: "), "{said}");
}

#[test]
fn nothing_of_an_unbuilt_folder_arrives() {
    let layout = World::default().layout();
    let rendered = Rendered { sources: layout.clone().into(), ..Rendered::default() };
    let said = said(&judged("arrives-decrypted", &layout, &rendered, &contract(), &both()));
    assert!(said.contains("no HelmRelease of customer-a takes values from a Secret"), "{said}");
}

#[rstest]
#[case::no_decryption(
    "",
    true,
    "violated: Kustomization f/a does not decrypt with the tenant's own key"
)]
#[case::foreign_key(
    "  decryption: {provider: sops, secretRef: {name: key-b}}\n",
    true,
    "violated: Kustomization f/a does not decrypt with the tenant's own key"
)]
#[case::not_ready(
    DECRYPTION,
    false,
    "undetermined: the tenant's own Kustomization is not ready with its own key"
)]
fn a_wrong_key_says_something_only_beside_the_right_one(
    #[case] decryption: &'static str,
    #[case] ready: bool,
    #[case] expected: &str,
) {
    let world = World { decryption, ready, ..World::default() };
    assert_eq!(said(&world.judged("wrong-key", &contract(), &both())), expected);
}

#[test]
fn a_wrong_key_that_nothing_refuses_is_a_violation() {
    let world = World { carried: false, ..World::default() };
    let said = said(&world.judged("wrong-key", &contract(), &both()));
    assert!(said.starts_with("violated: ") && said.contains("ReconciliationSucceeded"), "{said}");
}

#[test]
fn a_readable_secret_in_a_tenants_folder_is_the_tenants() {
    let plain = "kind: Secret\nmetadata: {name: smtp}\nstringData: {password: x}\n";
    for (file, expected) in [
        ("customers/a/smtp.yaml", "violated"),
        ("base/smtp.yaml", "violated"),
        ("customers/b/smtp.yaml", "holds"),
    ] {
        let layout = layout(&[(FILE, SEALED), (file, plain)]);
        let rendered = rendered(&layout, &[]);
        let verdict =
            judged("nothing-readable-in-git", &layout, &rendered, &contract(), &Keys::default());
        assert_eq!(verdict.word(), expected, "{file}");
    }
}
