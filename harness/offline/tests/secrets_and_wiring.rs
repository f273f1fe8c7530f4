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
use partywall_core::plan::{lack, plan, trials};
use partywall_core::probe::Probe;
use partywall_core::scenario::{Scenario, load_scenario};
use partywall_core::verdict::Verdict;
use partywall_offline::mutant::{Mutant, apply};
use partywall_offline::render::{Rendered, Repository};
use partywall_offline::secret::{History, Keys, Vault, explain_secret};
use partywall_offline::{load, wiring};
use partywall_tool::Tool;
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

/// Every secret trial that can be asked, with its verdict.
fn judged(layout: &Layout, rendered: &Rendered, keys: &Keys) -> BTreeMap<String, Verdict> {
    judged_with(layout, rendered, keys, None)
}

fn judged_with(
    layout: &Layout,
    rendered: &Rendered,
    keys: &Keys,
    history: Option<&History>,
) -> BTreeMap<String, Verdict> {
    let contract = contract(layout);
    let vault = Vault::new(layout, rendered, &contract, keys);
    let vault = history.iter().fold(vault, |vault, history| vault.with_history(history));
    let inventory = Inventory { lacks: vault.lacks(), ..Inventory::default() };
    let mut trials = trials(Backend::Offline, &scenarios(), &contract);
    trials.retain(|trial| {
        trial.scenario.backends.contains(&Backend::Offline)
            && lack(trial, &contract, &inventory).is_none()
    });
    let plan = plan(&trials, &contract, &inventory);
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
    // Without keys nobody can check a MAC, and that is not asked.
    for (keys, asked) in [(keys(&contract(&layout)), 18), (Keys::default(), 15)] {
        let verdicts = judged(&layout, &rendered, &keys);
        assert_eq!(verdicts.len(), asked);
        for (trial, verdict) in verdicts {
            assert_eq!(verdict.word(), "holds", "{trial}: {}", verdict.reason());
        }
    }
}

#[rstest]
#[case("07-second-recipient", &[
    "recipient-not-in-rule customers/customer-a/secrets.yaml customers/customer-a/secrets.yaml:25",
    "key-shared-between-tenants age13nuhqmxqdryt2kkp7pctlq4r8xclyj8zy87c35n6zm4qf8zvre5qwes8f6 .sops.yaml:7",
    "key-shared-between-tenants age13nuhqmxqdryt2kkp7pctlq4r8xclyj8zy87c35n6zm4qf8zvre5qwes8f6 customers/customer-a/secrets.yaml:25",
])]
#[case("08-decryption-removed", &["decryption-missing Kustomization flux-system/customer-b flux-system/tenants/customer-b.yaml:16"])]
#[case("12-plaintext-secret", &[])]
#[case("21-foreign-key", &[
    "key-shared-between-tenants Kustomization flux-system/customer-a flux-system/tenants/customer-a.yaml:27",
    "key-shared-between-tenants Kustomization flux-system/customer-b flux-system/tenants/customer-b.yaml:27",
])]
#[case("60-sealed-to-neighbour-too", &[
    "key-shared-between-tenants age1ltxcq0hhpw0tnt00834uwzura2vkqtrkpwc7d7nk8u0s9mm85q8sr6mwfw .sops.yaml:5",
    "key-shared-between-tenants age1ltxcq0hhpw0tnt00834uwzura2vkqtrkpwc7d7nk8u0s9mm85q8sr6mwfw .sops.yaml:7",
])]
#[case("61-readable-part-added", &[])]
#[case("62-mac-removed", &[])]
#[case("63-regex-not-anchored", &["encrypted-regex-not-anchored .sops.yaml .sops.yaml:6"])]
#[case("64-regex-forgets-string-data", &["encrypted-regex-incomplete .sops.yaml .sops.yaml:6"])]
#[case("65-key-committed", &[])]
#[case("66-key-of-platform-too", &[
    "platform-wide-key Kustomization flux-system/customer-a flux-system/tenants/customer-a.yaml:27",
    "platform-wide-key Kustomization flux-system/shared-services flux-system/platform.yaml:35",
])]
#[case("67-kubeconfig-committed", &[])]
#[case("69-operators-key", &[
    "platform-wide-key age1kcdpszx2e6jc2gqqz49knsryr4ft4dp5qu85593nylyjku6px9ls52rcem .sops.yaml:5",
    "platform-wide-key age1kcdpszx2e6jc2gqqz49knsryr4ft4dp5qu85593nylyjku6px9ls52rcem .sops.yaml:7",
    "platform-wide-key age1kcdpszx2e6jc2gqqz49knsryr4ft4dp5qu85593nylyjku6px9ls52rcem .sops.yaml:9",
])]
fn a_mutant_is_told_for_its_reason(#[case] name: &str, #[case] wiring: &[&str]) {
    let (mutant, layout) = mutated(name);
    let rendered = rendered(&layout);
    assert_eq!(wired(&layout, &rendered), wiring);
    assert!(told(&layout, &rendered, &mutant), "the finding gives another reason");
    let with_keys = keys(&contract(&layout));
    // What only a key can tell is not asked without one.
    let needs_key = name == "61-readable-part-added";
    for keys in [Some(with_keys), (!needs_key).then(Keys::default)].into_iter().flatten() {
        goes_red(&mutant, &judged(&layout, &rendered, &keys));
    }
}

/// Whether the finding that the mutant names is there, for the reason that it names where no trial
/// goes red.
fn told(layout: &Layout, rendered: &Rendered, mutant: &Mutant) -> bool {
    let found = wiring::findings(layout, rendered, &contract(layout));
    mutant.expect.finding.as_ref().is_none_or(|name| {
        found.iter().any(|one| {
            let for_reason = one.summary.contains(&mutant.expect.reason);
            one.name == *name && (for_reason || !mutant.expect.trial.is_empty())
        })
    })
}

/// The trial that the mutant names goes red for its reason, and of what concerns none of the
/// tenants of the mutant, nothing does.
fn goes_red(mutant: &Mutant, verdicts: &BTreeMap<String, Verdict>) {
    let expect = &mutant.expect;
    if expect.trial.is_empty() {
        assert!(expect.finding.is_some(), "{} is told by nothing", mutant.name);
        assert!(verdicts.values().all(|verdict| verdict.word() == "holds"), "{}", mutant.name);
        return;
    }
    let mut red = verdicts.iter().filter(|(trial, _)| trial.contains(&expect.trial));
    let (_, verdict) = red.next().expect("the trial is judged");
    assert_eq!(verdict.word(), "violated", "{}", verdict.reason());
    assert!(verdict.reason().contains(&expect.reason), "{}", verdict.reason());
    if expect.finding.is_some() {
        return;
    }
    let tenant = expect.trial.rsplit("::").next().unwrap_or_default();
    // What a neighbour's Kustomization does with this tenant's file is the neighbour's trial.
    let others = verdicts
        .iter()
        .filter(|(trial, _)| !trial.ends_with(tenant) && !trial.contains("neighbour_ciphertext"));
    for (trial, verdict) in others {
        assert_eq!(verdict.word(), "holds", "{trial}: {}", verdict.reason());
    }
}

/// What the next commit took back is in the history, and nowhere else.
#[test]
fn what_was_taken_back_is_found_in_history() {
    let (mutant, changed) = mutated("68-sealed-later");
    assert!(mutant.taken_back);
    let folder = tempfile::tempdir().expect("a folder");
    commit(folder.path(), &changed);
    let layout = layout("deployments");
    commit(folder.path(), &layout);
    let history = History::read(folder.path(), None, &layout);
    let rendered = rendered(&layout);
    let verdicts = judged_with(&layout, &rendered, &Keys::default(), Some(&history));
    assert_eq!(verdicts.len(), 18);
    goes_red(&mutant, &verdicts);
}

fn commit(folder: &Path, layout: &Layout) {
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        let tool = Tool::new("git").arg("-C").arg(folder).args(identity).args(arguments);
        tool.run().expect("git runs");
    };
    git(&["init", "--quiet"]);
    for (name, text) in &layout.files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("the file is written");
    }
    git(&["add", "--all", "--force"]);
    git(&["commit", "--quiet", "--message", "x"]);
}

#[test]
fn one_key_for_all_is_flagged_and_named() {
    let layout = layout("layouts/shared-key");
    let rendered = rendered(&layout);
    insta::assert_snapshot!("shared_key_wiring", wired(&layout, &rendered).join("\n"));
    let verdicts = judged(&layout, &rendered, &keys(&contract(&layout)));
    let said = verdicts.iter().map(|(trial, one)| {
        format!("{trial} {}: {}", one.word(), one.reason()).trim_end().to_string()
    });
    insta::assert_snapshot!("shared_key_verdicts", said.collect::<Vec<_>>().join("\n"));
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
    key-shared-between-tenants Kustomization flux-system/customer-a flux-system/tenants/customer-a.yaml:17
    key-shared-between-tenants Kustomization flux-system/customer-b flux-system/tenants/customer-b.yaml:17
    key-shared-between-tenants Kustomization flux-system/soev-internal flux-system/tenants/soev-internal.yaml:17
    key-shared-between-tenants age1kcdpszx2e6jc2gqqz49knsryr4ft4dp5qu85593nylyjku6px9ls52rcem .sops.yaml:4
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
    offline::secrets::as_sealed::customer_a holds:
    offline::secrets::as_sealed::customer_b holds:
    offline::secrets::as_sealed::soev_internal holds:
    offline::secrets::neighbour_ciphertext::customer_a violated: a copy of customers/customer-b/secrets.yaml of customer-b in the folder of customer-a is opened: Kustomization flux-system/customer-a opens it with Secret flux-system/sops-age-key
    offline::secrets::neighbour_ciphertext::customer_b violated: a copy of customers/customer-a/secrets.yaml of customer-a in the folder of customer-b is opened: Kustomization flux-system/customer-b opens it with Secret flux-system/sops-age-key
    offline::secrets::neighbour_ciphertext::soev_internal violated: a copy of customers/customer-a/secrets.yaml of customer-a in the folder of soev-internal is opened: Kustomization flux-system/soev-internal opens it with Secret flux-system/sops-age-key
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
