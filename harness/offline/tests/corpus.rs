//! Every layout of `fixtures/layouts`, the ones that no one here wrote among them: each is read,
//! rendered and, where it has no contract, given a drafted one, without a panic.

#[expect(dead_code, reason = "not every test needs all of it")]
mod render_support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use partywall_core::contract::{Contract, Flow, FlowTarget, check};
use partywall_core::source::LoadError;
use partywall_core::{Layout, Port};
use partywall_offline::draft::{Draft, draft};
use partywall_offline::load::{folder_files, working_tree_lenient};
use partywall_offline::render::Repository;
use render_support::{rendered, root};
use rstest::rstest;

const CONTRACT: &str = "partywall.yaml";

fn fixtures() -> PathBuf {
    root().join("fixtures")
}

/// The layout under the addresses that its own sync names.
fn own(layout: &Layout) -> Vec<Repository> {
    let syncs =
        layout.of_kind("GitRepository").filter(|d| d.location.file.ends_with("gotk-sync.yaml"));
    let urls = syncs.filter_map(|document| document.root.text(&["spec", "url"]));
    let own = |url: &str| Repository {
        url: url.to_string(),
        prefix: ".".to_string(),
        files: BTreeMap::new(),
    };
    urls.map(own).collect()
}

fn load(path: &str) -> Layout {
    working_tree_lenient(&fixtures().join(path)).expect("the layout loads")
}

fn drafted(layout: &Layout, repositories: &[Repository]) -> (Draft, Contract) {
    let draft = draft(layout, &rendered(layout, repositories));
    let contract = Contract::load(CONTRACT, &draft.contract_text)
        .unwrap_or_else(|error: LoadError| panic!("{error}\n{}", draft.contract_text));
    assert!(contract.draft);
    (draft, contract)
}

#[test]
fn every_layout_loads_renders_and_drafts() {
    let folders = std::fs::read_dir(fixtures().join("layouts")).expect("the folder is there");
    let mut seen = 0;
    for folder in folders {
        let name = folder.expect("the folder is readable").file_name();
        let layout = load(&format!("layouts/{}", name.to_string_lossy()));
        let (_, contract) = drafted(&layout, &own(&layout));
        if let Some(text) = layout.files.get(CONTRACT) {
            Contract::load(CONTRACT, text).expect("its own contract loads");
        }
        if !contract.tenants.is_empty() {
            assert_eq!(check(CONTRACT, &contract, &layout), [], "{}", name.display());
        }
        seen += 1;
    }
    assert!(seen >= 6, "only {seen} layouts");
}

#[rstest]
#[case::multi_tenancy("foreign-multi-tenancy", &["blue-team", "red-team"])]
#[case::monorepo("foreign-monorepo", &[])]
#[case::calico("foreign-calico", &["shop-north", "shop-south"])]
#[case::plain("foreign-plain", &["acme", "globex"])]
fn what_no_one_here_wrote_is_named(#[case] name: &str, #[case] tenants: &[&str]) {
    let layout = load(&format!("layouts/{name}"));
    let (draft, contract) = drafted(&layout, &own(&layout));
    let found: Vec<&str> = contract.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
    assert_eq!(found, tenants);
    let all = rendered(&layout, &own(&layout));
    let unread = layout.unread.iter().map(|error| format!("unread: {error}"));
    let skipped = all.not_judged.iter().map(|note| format!("render: {}", note.subject));
    let notes = draft.notes.iter().map(|note| format!("draft: {}: {}", note.subject, note.reason));
    let lines: Vec<String> = unread.chain(skipped).chain(notes).collect();
    insta::assert_snapshot!(format!("{name}_named"), lines.join("\n"));
    insta::assert_snapshot!(format!("{name}_draft"), draft.contract_text);
}

/// A namespace, labels of pods, ports.
type Target = (Option<String>, BTreeMap<String, String>, Vec<Port>);

/// Where it goes, on which ports: what a flow says whatever its endpoints are called.
fn targets(contract: &Contract, flow: &Flow) -> BTreeSet<Target> {
    let FlowTarget::Endpoints(names) = &flow.to else { return BTreeSet::new() };
    let endpoints = names.iter().map(|name| &contract.endpoints[name]);
    endpoints
        .map(|one| {
            let mut ports = one.ports.clone();
            ports.sort();
            (one.namespace.clone(), one.pods.clone(), ports)
        })
        .collect()
}

#[rstest]
#[case::without_its_charts(false)]
#[case::with_its_charts(true)]
fn the_reference_layout_is_drafted_as_its_contract_says(#[case] charts: bool) {
    let mut layout = load("deployments");
    let text = layout.files.remove(CONTRACT).expect("the contract is there");
    let layout = Layout::new(layout.files).expect("the layout parses");
    let written = Contract::load(CONTRACT, &text).expect("the contract loads");
    let mut repositories = own(&layout);
    if charts {
        let files = folder_files(&fixtures().join("charts")).expect("the charts load");
        let url = written.repositories[1].url.clone();
        repositories.push(Repository { url, prefix: "../charts".to_string(), files });
    }
    let (draft, drafted) = drafted(&layout, &repositories);
    assert_eq!(check(CONTRACT, &drafted, &layout), [], "{}", draft.contract_text);
    assert_eq!(drafted.tenants, written.tenants, "{}", draft.contract_text);
    assert_eq!(drafted.platform, written.platform);
    assert_eq!(drafted.flows.len(), written.flows.len(), "{}", draft.contract_text);
    for (drafted_flow, flow) in drafted.flows.iter().zip(&written.flows) {
        assert_eq!(drafted_flow.from, flow.from);
        assert_eq!(targets(&drafted, drafted_flow), targets(&written, flow));
        let names = |flow: &Flow| match &flow.to {
            FlowTarget::SameTenant => BTreeSet::new(),
            FlowTarget::Endpoints(names) => names.iter().cloned().collect(),
        };
        assert_eq!(names(drafted_flow), names(flow));
    }
    assert_eq!(
        drafted.endpoints.keys().collect::<Vec<_>>(),
        written.endpoints.keys().collect::<Vec<_>>()
    );
    assert_eq!(drafted.telemetry, written.telemetry);
    let expected = if charts { &written.repositories[..] } else { &written.repositories[..1] };
    assert_eq!(drafted.repositories, expected);
    assert_eq!(draft.notes, []);
}

#[test]
fn a_policy_that_opens_more_is_drafted_as_more() {
    let mut files = load("deployments").files;
    let path = "platform/tenants/customer-a/network-policies.yaml";
    let policy = files.get_mut(path).expect("the policy is there");
    *policy =
        policy.replacen("app: alloy", "app: loki", 1).replacen("- port: 14317", "- port: 3100", 1);
    let shared = "shared-services/observability/receivers/customer-a.yaml";
    let ingress = files.get_mut(shared).expect("the policy is there");
    *ingress = ingress
        .replacen("matchLabels:\n      app: alloy", "matchLabels:\n      app: loki", 1)
        .replacen("- port: 14317", "- port: 3100", 1);
    let layout = Layout::new(files).expect("the layout parses");
    let (_, contract) = drafted(&layout, &own(&layout));
    assert!(contract.allowed_endpoints("customer-a").contains(&"loki"));
    assert!(!contract.allowed_endpoints("customer-a").contains(&"collector-customer-a"));
    assert!(!contract.allowed_endpoints("customer-b").contains(&"loki"));
}
