//! Secrets and wiring of the fixtures, as the pinned programs render them: nothing is wrong with
//! the reference layout, and each mutant is told for the reason that it gives.

#[expect(dead_code, reason = "not every test needs all of it")]
mod render_support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use partywall_core::Layout;
use partywall_core::check::judge;
use partywall_core::cluster::Backend;
use partywall_core::contract::Contract;
use partywall_core::inventory::Inventory;
use partywall_core::layout::folder_of;
use partywall_core::plan::{plan, trials};
use partywall_core::probe::Probe;
use partywall_core::scenario::{Scenario, load_scenario};
use partywall_core::verdict::Verdict;
use partywall_offline::mutant::{Mutant, apply};
use partywall_offline::render::{Rendered, Repository};
use partywall_offline::secret::{Keys, Vault, explain_secret};
use partywall_offline::{load, wiring};
use rstest::rstest;

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

fn contract(layout: &Layout) -> Contract {
    Contract::load("partywall.yaml", &layout.files["partywall.yaml"]).expect("the contract loads")
}

fn keys(contract: &Contract) -> Keys {
    Keys::from_folder(&fixtures().join("keys"), contract).expect("the test keys load")
}

fn rendered(layout: &Layout) -> Rendered {
    let charts = load::working_tree(&fixtures().join("charts")).expect("the charts load");
    let repositories = contract(layout).repositories.into_iter().map(|one| {
        let files = if one.path == "." { BTreeMap::new() } else { charts.files.clone() };
        Repository { url: one.url, prefix: one.path, files }
    });
    let repositories: Vec<Repository> = repositories.collect();
    render_support::rendered(layout, &repositories)
}

fn layout(name: &str) -> Layout {
    load::working_tree(&fixtures().join(name)).expect("the layout loads")
}

fn mutated(name: &str) -> (Mutant, Layout) {
    let mutant =
        Mutant::load(&fixtures().join("mutants").join(name)).expect("the mutant is well formed");
    let scratch = tempfile::tempdir().expect("a folder");
    apply(&mutant, &mutant.layout_dir(), scratch.path()).expect("the patch applies");
    (mutant, load::working_tree(scratch.path()).expect("the mutant loads"))
}

fn scenarios() -> Vec<Scenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let all = load::working_tree(&folder).expect("the scenarios load");
    let secrets = all
        .files
        .iter()
        .filter(|(path, _)| folder_of(path) == "secrets" && path.ends_with(".yaml"));
    secrets.map(|(path, text)| load_scenario(path, text).expect("the scenario loads")).collect()
}

/// Every secret trial with its verdict.
fn judged(layout: &Layout, rendered: &Rendered, keys: &Keys) -> BTreeMap<String, Verdict> {
    let contract = contract(layout);
    let trials = trials(Backend::Offline, &scenarios(), &contract);
    let plan = plan(&trials, &contract, &Inventory::default());
    let vault = Vault::new(layout, rendered, &contract, keys);
    let answer = |probe: &Probe| match probe {
        Probe::Secret(probe) => vault.answer(probe),
        _ => panic!("only secrets are planned"),
    };
    let seen: Vec<_> = plan.batch.probes.iter().map(answer).collect();
    let one = |cell: &partywall_core::plan::Cell| {
        let trial = &trials[cell.trial];
        (trial.name.clone(), judge(&plan, trial, cell, &seen))
    };
    plan.cells.iter().map(one).collect()
}

/// Names of the wiring defects with their places.
fn wired(layout: &Layout, rendered: &Rendered) -> Vec<String> {
    let found = wiring::findings(layout, rendered, &contract(layout));
    found
        .iter()
        .map(|one| {
            let place = one.location.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{} {} {place}", one.name, one.object)
        })
        .collect()
}

#[rstest]
#[case::reference("deployments")]
#[case::foreign_workloads("layouts/foreign-workloads")]
fn nothing_is_wrong(#[case] name: &str) {
    let layout = layout(name);
    let rendered = rendered(&layout);
    assert_eq!(wired(&layout, &rendered), [""; 0]);
    for keys in [keys(&contract(&layout)), Keys::default()] {
        let verdicts = judged(&layout, &rendered, &keys);
        assert_eq!(verdicts.len(), 12);
        for (trial, verdict) in verdicts {
            assert_eq!(verdict.word(), "holds", "{trial}: {}", verdict.reason());
        }
    }
}

#[rstest]
#[case("07-second-recipient", &["recipient-not-in-rule customers/customer-a/secrets.yaml customers/customer-a/secrets.yaml:25"])]
#[case("08-decryption-removed", &["decryption-missing Kustomization flux-system/customer-b flux-system/tenants/customer-b.yaml:16"])]
#[case("12-plaintext-secret", &[])]
#[case("21-foreign-key", &[])]
fn a_mutant_is_told_for_its_reason(#[case] name: &str, #[case] wiring: &[&str]) {
    let (mutant, layout) = mutated(name);
    let rendered = rendered(&layout);
    assert_eq!(wired(&layout, &rendered), wiring);
    for keys in [keys(&contract(&layout)), Keys::default()] {
        let verdicts = judged(&layout, &rendered, &keys);
        let mut red = verdicts.iter().filter(|(trial, _)| trial.contains(&mutant.expect.trial));
        let (_, verdict) = red.next().expect("the trial is judged");
        assert_eq!(verdict.word(), "violated", "{}", verdict.reason());
        assert!(verdict.reason().contains(&mutant.expect.reason), "{}", verdict.reason());
        let tenant = mutant.expect.trial.rsplit("::").next().unwrap_or_default();
        for (trial, verdict) in verdicts.iter().filter(|(trial, _)| !trial.ends_with(tenant)) {
            assert_eq!(verdict.word(), "holds", "{trial}: {}", verdict.reason());
        }
    }
}

/// A mutant of the network or of telemetry shows nothing in the wiring, and no secret of it fails.
#[test]
fn other_mutants_leave_secrets_and_wiring_alone() {
    let all = Mutant::load_all(&fixtures().join("mutants")).expect("every mutant is well formed");
    let others = all.iter().filter(|mutant| mutant.expect.question != "secrets");
    let mut count = 0;
    for mutant in others {
        let (_, layout) = mutated(&mutant.name);
        let rendered = rendered(&layout);
        assert_eq!(wired(&layout, &rendered), [""; 0], "{}", mutant.name);
        for (trial, verdict) in judged(&layout, &rendered, &keys(&contract(&layout))) {
            assert_eq!(verdict.word(), "holds", "{} {trial}: {}", mutant.name, verdict.reason());
        }
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn the_first_draft_applies_policies_and_workloads_together() {
    let layout = layout("layouts/first-draft");
    let rendered = rendered(&layout);
    insta::assert_snapshot!(wired(&layout, &rendered).join("\n"), @r"
    workload-before-policy Kustomization flux-system/customer-a customers/customer-a/network-policies.yaml:1
    workload-before-policy Kustomization flux-system/customer-b customers/customer-b/network-policies.yaml:1
    workload-before-policy Kustomization flux-system/soev-internal customers/soev-internal/network-policies.yaml:1
    ");
    let keys = keys(&contract(&layout));
    let said = judged(&layout, &rendered, &keys);
    let said = said.iter().map(|(trial, one)| {
        format!("{trial} {}: {}", one.word(), one.reason()).trim_end().to_string()
    });
    insta::assert_snapshot!(said.collect::<Vec<_>>().join("\n"), @r"
    offline::secrets::arrives_decrypted::customer_a undetermined: the probe could not be made: no HelmRelease of customer-a takes values from a Secret
    offline::secrets::arrives_decrypted::customer_b undetermined: the probe could not be made: no HelmRelease of customer-b takes values from a Secret
    offline::secrets::arrives_decrypted::soev_internal undetermined: the probe could not be made: no HelmRelease of soev-internal takes values from a Secret
    offline::secrets::nothing_readable_in_git::customer_a holds:
    offline::secrets::nothing_readable_in_git::customer_b holds:
    offline::secrets::nothing_readable_in_git::soev_internal holds:
    offline::secrets::own_key_only::customer_a violated: the key of customer-b opens customers/customer-a/secrets.yaml of customer-a
    offline::secrets::own_key_only::customer_b violated: the key of customer-a opens customers/customer-b/secrets.yaml of customer-b
    offline::secrets::own_key_only::soev_internal violated: the key of customer-a opens customers/soev-internal/secrets.yaml of soev-internal
    offline::secrets::wrong_key::customer_a undetermined: the tenant's own Kustomization is not ready with its own key
    offline::secrets::wrong_key::customer_b undetermined: the tenant's own Kustomization is not ready with its own key
    offline::secrets::wrong_key::soev_internal undetermined: the tenant's own Kustomization is not ready with its own key
    ");
}

#[test]
fn a_secret_of_the_reference_layout_is_explained() {
    let layout = layout("deployments");
    let rendered = rendered(&layout);
    let contract = contract(&layout);
    let lines = explain_secret(&layout, &rendered, &contract, "customer-a", "open-webui-secrets");
    let said = lines.into_iter().map(|(place, text)| {
        format!("{} {text}", place.map_or_else(|| "-".to_string(), |place| place.to_string()))
    });
    insta::assert_snapshot!(said.collect::<Vec<_>>().join("\n"), @r"
    customers/customer-a/kustomization.yaml:14 Secret customer-a/open-webui-secrets-tb76cb6gfh is generated by a `secretGenerator`
    customers/customer-a/secrets.yaml:1 entry `values.yaml` is the sealed file customers/customer-a/secrets.yaml
    customers/customer-a/secrets.yaml:16 sealed to age1ltxcq0hhpw0tnt00834uwzura2vkqtrkpwc7d7nk8u0s9mm85q8sr6mwfw: the key of customer-a
    .sops.yaml:4 its creation rule names age1ltxcq0hhpw0tnt00834uwzura2vkqtrkpwc7d7nk8u0s9mm85q8sr6mwfw
    flux-system/tenants/customer-a.yaml:10 applied by Kustomization flux-system/customer-a
    flux-system/tenants/customer-a.yaml:27 opened with Secret flux-system/sops-age-customer-a, the key of customer-a
    base/helmrelease.yaml:30 read by HelmRelease customer-a/open-webui (`spec.valuesFrom.1.name`)
    ");
}
