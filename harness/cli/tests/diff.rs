//! `partywall diff` on a small Git repository: what a change opens and closes, and the line.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test runs programs as a user does"
)]

#[path = "support/git.rs"]
mod git;
#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use std::fs;

use git::git;
use partywall_offline::mutant::copy;
use rstest::rstest;
use serde_json::Value;
use support::{Outcome, Place, root};

const POLICIES: &str = "platform/tenants/customer-a/network-policies.yaml";
const VALUES: &str = "customers/customer-a/values.yaml";
const COLLECTOR: &str = "shared-services/observability/config/collector.yaml";
const LAYOUT: [&str; 2] = ["--layout", "repository/deployments"];

/// A repository with the reference layout and its charts as its first commit, `main`.
fn repository() -> Place {
    let place = Place::new();
    for part in ["deployments", "charts"] {
        copy(&root().join("fixtures").join(part), &place.path("repository").join(part)).unwrap();
    }
    let folder = place.path("repository");
    git(&folder, &["init", "--quiet", "--initial-branch=main"]);
    commit(&place);
    place
}

fn commit(place: &Place) {
    let folder = place.path("repository");
    git(&folder, &["add", "--all"]);
    git(&folder, &["commit", "--quiet", "--message=test"]);
}

/// Change a file of the layout.
fn edit(place: &Place, file: &str, change: impl Fn(&str) -> String) {
    let path = place.path("repository/deployments").join(file);
    let before = fs::read_to_string(&path).unwrap();
    let after = change(&before);
    assert_ne!(before, after, "the change of {file} changes nothing");
    fs::write(path, after).unwrap();
}

fn replace(place: &Place, file: &str, before: &str, after: &str) {
    edit(place, file, |text| text.replacen(before, after, 1));
}

fn apply(place: &Place, mutant: &str) {
    let patch = root().join("fixtures/mutants").join(mutant).join("change.patch");
    let patch = patch.display().to_string();
    git(&place.path("repository"), &["apply", "--directory=deployments", &patch]);
}

fn run(place: &Place, range: &str, format: &str) -> Outcome {
    place.run(&["diff", range, LAYOUT[0], LAYOUT[1], "--format", format])
}

fn place_of(because: &Value) -> String {
    let location = &because["location"];
    format!("{}:{}", location["file"].as_str().unwrap_or("?"), location["line"])
}

/// Every entry of a change in one line each.
fn lines(change: &Value) -> Vec<String> {
    let list = |key: &str| change[key].as_array().cloned().unwrap_or_default();
    let mark =
        |entry: &Value| if entry["contracted"] == true { "as contracted" } else { "against" };
    let mut lines = Vec::new();
    for (key, sign) in [("opened", '+'), ("closed", '-')] {
        lines.extend(list(key).iter().map(|flow| {
            let ports = flow["ports"].as_array().unwrap().iter();
            let ports: Vec<&str> = ports.filter_map(Value::as_str).collect();
            let ends =
                format!("{} {}", flow["from"].as_str().unwrap(), flow["to"].as_str().unwrap());
            let (mark, place) = (mark(flow), place_of(&flow["because"]));
            format!("{sign} {ends} {} {mark} {place}", ports.join(","))
        }));
    }
    for (key, subject) in [("secrets", "subject"), ("orgs", "signal")] {
        lines.extend(list(key).iter().map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap_or("none").to_string();
            let states = format!("{} => {}", text("before"), text("after"));
            let (mark, place) = (mark(entry), place_of(&entry["because"]));
            format!("{} {}: {states} {mark} {place}", text("tenant"), text(subject))
        }));
    }
    for (key, word) in [("defects_added", "new"), ("defects_removed", "mended")] {
        lines.extend(
            list(key)
                .iter()
                .map(|one| format!("{word} {} {}", one["name"].as_str().unwrap(), place_of(one))),
        );
    }
    lines.extend(list("not_judged").iter().map(|one| format!("not judged {one}")));
    lines
}

fn read(place: &Place, range: &str, code: i32) -> Vec<String> {
    let outcome = run(place, range, "json");
    outcome.ends(code, &[]);
    lines(&serde_json::from_str(&outcome.stdout).unwrap())
}

/// The whole cluster may come in, in place of the tenant's own pods.
fn widen(place: &Place) {
    let rule = "    - from:\n        - podSelector: {}\n";
    replace(place, POLICIES, rule, &rule.replace("podSelector", "namespaceSelector"));
}

fn remove_policies(place: &Place) {
    replace(
        place,
        "platform/tenants/customer-a/kustomization.yaml",
        "  - network-policies.yaml\n",
        "",
    );
}

/// A port of the gateway that answers, and that no policy names.
fn add_port(place: &Place) {
    let file = "shared-services/gateway/gateway.yaml";
    replace(place, file, "\"8000\", --decoy", "\"8000,8001\", --decoy");
    let port = "            - name: http\n              containerPort: 8000\n              protocol: TCP\n";
    let more = port.replace("http", "more").replace("8000", "8001");
    replace(place, file, port, &format!("{port}{more}"));
}

fn drop_tenant(place: &Place) {
    let layout = place.path("repository/deployments");
    for folder in ["customers/customer-b", "platform/tenants/customer-b"] {
        fs::remove_dir_all(layout.join(folder)).unwrap();
    }
    fs::remove_file(layout.join("flux-system/tenants/customer-b.yaml")).unwrap();
    replace(place, "flux-system/kustomization.yaml", "  - tenants/customer-b.yaml\n", "");
    replace(place, "platform/tenants/kustomization.yaml", "  - customer-b\n", "");
    let cut = |text: &str, from: &str, to: &str| {
        let (start, rest) = text.split_once(from).unwrap();
        format!("{start}{}", &rest[rest.find(to).unwrap()..])
    };
    let rule = "  - path_regex: ^customers/customer-b";
    edit(place, ".sops.yaml", |text| cut(text, rule, "  - path_regex"));
    edit(place, "partywall.yaml", |text| cut(text, "  - name: customer-b\n", "  - name: soev"));
    let flow = "  - {from: customer-b, to: [collector-customer-b]}\n";
    replace(place, "partywall.yaml", flow, "");
}

fn swap_org(place: &Place) {
    for store in ["loki:3100", "mimir:9009"] {
        let sent = |org: &str| {
            format!("    endpoint: http://{store}/otlp\n    headers:\n      X-Scope-OrgID: {org}\n")
        };
        replace(place, COLLECTOR, &sent("customer-a"), &sent("customer-b"));
    }
}

fn comment(place: &Place) {
    edit(place, POLICIES, |text| format!("# Nothing but a comment.\n{text}"));
    edit(place, VALUES, |text| format!("# Another.\n{text}"));
}

/// Lines that the change must have, and how many it has.
#[rstest]
#[case::policy_widened(widen, 1, 37, &[
    "new uncontracted-flow platform/tenants/customer-a/network-policies.yaml:18",
    "+ a pod that no policy selects customer-a/postgres  against platform/tenants/customer-a/network-policies.yaml:18",
    "+ observability/loki customer-a/open-webui  against platform/tenants/customer-a/network-policies.yaml:18",
])]
#[case::policy_removed(remove_policies, 1, 69, &[
    "+ 0.0.0.0/0 customer-a/postgres  against platform/tenants/customer-a/network-policies.yaml:9",
    "+ customer-a/open-webui 0.0.0.0/0  against platform/tenants/customer-a/network-policies.yaml:9",
    "+ customer-a/open-webui apiserver 6443/TCP against platform/tenants/customer-a/network-policies.yaml:9",
    "+ shared-services/gateway customer-a/postgres  against platform/tenants/customer-a/network-policies.yaml:9",
])]
#[case::policy_port(|place: &Place| apply(place, "02-decoy-port-opened"), 1, 5, &[
    "new uncontracted-flow shared-services/gateway/network-policies.yaml:38",
    "+ customer-a/postgres shared-services/gateway 18080/TCP against platform/tenants/customer-a/network-policies.yaml:33",
])]
#[case::container_port(add_port, 0, 2, &[
    "+ shared-services/crawl4ai shared-services/gateway 8001/TCP,8001/UDP as contracted shared-services/gateway/gateway.yaml:3",
    "+ shared-services/searxng shared-services/gateway 8001/TCP,8001/UDP as contracted shared-services/gateway/gateway.yaml:3",
])]
#[case::udp_closed(|place: &Place| apply(place, "06-dns-tcp-closed"), 1, 4, &[
    "- customer-b/postgres kube-system/kube-dns 53/TCP as contracted platform/tenants/customer-b/network-policies.yaml:68",
])]
#[case::hidden_by_a_neighbour(|place: &Place| apply(place, "14-egress-to-anywhere"), 1, 5, &[
    "new uncontracted-flow platform/tenants/customer-b/network-policies.yaml:25",
    "+ customer-b/postgres a pod that no policy selects 8080/TCP against platform/tenants/customer-b/network-policies.yaml:25",
])]
#[case::tenant_removed(drop_tenant, 1, 36, &[
    "- customer-b/open-webui shared-services/gateway 8000/TCP as contracted flux-system/tenants/customer-b.yaml:10",
    "- customer-b/open-webui customer-b/postgres  as contracted flux-system/tenants/customer-b.yaml:10",
    "customer-b customers/customer-b/secrets.yaml: opened by age13nuhqmxqdr…wes8f6 (customer-b) => none as contracted customers/customer-b/secrets.yaml:16",
    "customer-b logs: customer-b => none as contracted ?:null",
])]
#[case::recipient_added(|place: &Place| apply(place, "07-second-recipient"), 1, 4, &[
    "customer-a customers/customer-a/secrets.yaml: opened by age1ltxcq0hhpw…r6mwfw (customer-a) => opened by age13nuhqmxqdr…wes8f6 (customer-b) and age1ltxcq0hhpw…r6mwfw (customer-a) against customers/customer-a/secrets.yaml:25",
    "new recipient-not-in-rule customers/customer-a/secrets.yaml:25",
    "new key-shared-between-tenants .sops.yaml:7",
    "new key-shared-between-tenants customers/customer-a/secrets.yaml:25",
])]
#[case::org_swapped(swap_org, 1, 2, &[
    "customer-a logs: customer-a => customer-b against shared-services/observability/config/collector.yaml:34",
    "customer-a metrics: customer-a => customer-b against shared-services/observability/config/collector.yaml:44",
])]
#[case::decryption_removed(|place: &Place| apply(place, "08-decryption-removed"), 1, 2, &[
    "customer-b Kustomization flux-system/customer-b: opens its files with Secret flux-system/sops-age-customer-b => does not open its files against flux-system/tenants/customer-b.yaml:16",
    "new decryption-missing flux-system/tenants/customer-b.yaml:16",
])]
#[case::readable(|place: &Place| apply(place, "12-plaintext-secret"), 1, 1, &[
    "customer-a customers/customer-a/smtp.yaml: none => not sealed, with a readable value of Secret `smtp` against customers/customer-a/smtp.yaml:6",
])]
#[case::comment_only(comment, 0, 0, &[])]
fn a_change_says_what_it_opens_and_closes(
    #[case] change: impl Fn(&Place),
    #[case] code: i32,
    #[case] count: usize,
    #[case] expected: &[&str],
) {
    let place = repository();
    change(&place);
    let lines = read(&place, "main..", code);
    for line in expected {
        assert!(lines.contains(&line.to_string()), "no `{line}` in {lines:#?}");
    }
    assert_eq!(lines.len(), count, "{lines:#?}");
}

#[test]
fn a_commit_is_no_other_change_than_the_working_tree() {
    let place = repository();
    swap_org(&place);
    let of_tree = read(&place, "main..", 1);
    git(&place.path("repository"), &["checkout", "--quiet", "-b", "change"]);
    commit(&place);
    assert_eq!(read(&place, "main..change", 1), of_tree);
    assert_eq!(read(&place, "change..change", 0), Vec::<String>::new());
}

#[test]
fn undoing_a_mistake_goes_with_the_contract() {
    let place = repository();
    git(&place.path("repository"), &["checkout", "--quiet", "-b", "change"]);
    apply(&place, "02-decoy-port-opened");
    commit(&place);
    let back = read(&place, "change..main", 0);
    let (mended, closed): (Vec<_>, Vec<_>) =
        back.iter().partition(|line| line.starts_with("mended "));
    assert!(
        closed.iter().all(|line| line.starts_with("- ") && line.contains("against")),
        "{back:#?}"
    );
    assert_eq!((closed.len(), mended.len()), (4, 1));
}

#[test]
fn people_are_told_in_text_and_in_markdown() {
    let place = repository();
    run(&place, "main..", "text").ends(0, &[]);
    apply(&place, "02-decoy-port-opened");
    let text = run(&place, "main..", "text");
    text.ends(1, &[]);
    let line = "platform/tenants/customer-a/network-policies.yaml:33";
    assert!(text.stdout.contains("opens what the contract does not allow"), "{text:#?}");
    assert!(text.stdout.contains(line), "{text:#?}");
    let markdown = run(&place, "main..", "markdown");
    markdown.ends(1, &[]);
    assert!(markdown.stdout.starts_with("## Partywall: "), "{markdown:#?}");
    assert!(markdown.stdout.contains("shared-services/gateway on 18080/TCP"), "{markdown:#?}");
}

#[test]
fn what_is_not_judged_is_undetermined() {
    let place = repository();
    let policy =
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata:\n  name: more\nspec: {}\n";
    edit(&place, POLICIES, |text| format!("{text}---\n{policy}"));
    let lines = read(&place, "main..", 4);
    assert!(lines.iter().all(|line| line.starts_with("not judged")), "{lines:#?}");
}

#[rstest]
#[case("main")]
#[case("main...change")]
#[case("..main")]
#[case("main..a..b")]
fn a_range_that_is_none(#[case] range: &str) {
    let place = Place::new();
    place.run(&["diff", range]).ends(2, &["is no range of revisions", "hint: write BASE..HEAD"]);
}

#[test]
fn a_revision_that_git_does_not_know() {
    run(&repository(), "nowhere..main", "text").ends(2, &["Git knows no commit `nowhere`"]);
}
