//! What a change is said to open and close.

use partywall_core::event::{Blame, Defect, NotJudged};
use partywall_core::source::SourceLocation;
use partywall_report::console::{Colour, ConsoleOptions};
use partywall_report::diff::{self, Change, Flow, OrgChange, SecretChange};
use rstest::rstest;

use crate::sample::TENANTS;

const PLAIN: ConsoleOptions = ConsoleOptions { colour: Colour::Never, width: 100 };

fn blame(file: &str, line: u64, because: &str) -> Option<Blame> {
    Some(Blame { location: SourceLocation::new(file, line), because: because.to_string() })
}

fn flow(from: &str, to: &str, port: &str, contracted: bool) -> Flow {
    let (from, to, ports) = (from.to_string(), to.to_string(), vec![port.to_string()]);
    Flow { from, to, ports, contracted, because: None }
}

fn nothing() -> Change {
    Change { base: "main".to_string(), head: "HEAD".to_string(), ..Change::default() }
}

fn secret(tenant: &str, after: Option<&str>, contracted: bool) -> SecretChange {
    let subject = format!("customers/{tenant}/secrets.yaml");
    SecretChange {
        tenant: tenant.to_string(),
        before: Some("opened by age1own".to_string()),
        after: after.map(str::to_string),
        contracted,
        because: blame(&subject, 9, "a recipient that is nobody of the contract"),
        subject,
    }
}

/// One of everything.
fn everything() -> Change {
    let mut opened =
        vec![flow("customer-a/open-webui", "shared-services/searxng", "8080/TCP", true)];
    for tenant in TENANTS {
        let file = format!("customers/{tenant}/network-policies.yaml");
        let because = format!("allow-all of {tenant} selects every namespace");
        let because = blame(&file, 31, &because);
        let from = format!("{tenant}/open-webui");
        opened.push(Flow { because, ..flow(&from, "observability/loki", "3100/TCP", false) });
        opened.push(flow(&from, "0.0.0.0/0", "443/TCP", false));
    }
    let mut closed = vec![flow("customer-b/open-webui", "observability/alloy", "4317/TCP", true)];
    closed.push(flow("customer-b/open-webui", "customer-a/postgres", "5432/TCP", false));
    let org = |tenant: &str, after: &str, contracted| OrgChange {
        tenant: tenant.to_string(),
        signal: "logs".to_string(),
        before: Some(tenant.to_string()),
        after: Some(after.to_string()),
        contracted,
        because: blame("customers/customer-b/values.yaml", 12, "tenantId is customer-a"),
    };
    let defect = Defect {
        name: "name-not-rewritten".to_string(),
        summary: "valuesFrom names a Secret that no generator makes".to_string(),
        object: "HelmRelease customer-a/open-webui".to_string(),
        message: String::new(),
        location: Some(SourceLocation::new("base/helmrelease.yaml", 22)),
        behind: None,
    };
    let unknown = NotJudged {
        subject: "CiliumNetworkPolicy customer-a/deny".to_string(),
        reason: "policies of Cilium are not modelled".to_string(),
        location: Some(SourceLocation::new("customers/customer-a/cilium.yaml", 3)),
    };
    Change {
        opened,
        closed,
        secrets: TENANTS
            .map(|tenant| secret(tenant, Some("opened by age1own, age1stranger"), false))
            .to_vec(),
        orgs: vec![org("customer-b", "customer-a", false)],
        defects_added: vec![defect.clone()],
        defects_removed: vec![Defect { name: "plaintext-secret".to_string(), ..defect }],
        not_judged: vec![unknown],
        ..nothing()
    }
}

#[test]
fn text_of_one_of_everything() {
    insta::assert_snapshot!(diff::text(&everything(), &PLAIN));
}

#[test]
fn markdown_of_one_of_everything() {
    insta::assert_snapshot!(diff::markdown(&everything()));
}

#[test]
fn json_is_the_data_itself() {
    let text = diff::json(&everything()).unwrap();
    assert_eq!(serde_json::from_str::<Change>(&text).unwrap(), everything());
}

#[test]
fn what_goes_against_the_contract_comes_first() {
    let text = diff::text(&everything(), &PLAIN);
    let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"));
    let against = place("opens what the contract does not allow");
    assert!(against < place("opens, as the contract allows"));
    assert!(place("open-webui of each of customer-a, customer-b, soev-internal") > against);
}

#[test]
fn nothing_changed_says_so() {
    let words = "nothing changes: flows, secrets, organisations and defects are as they were";
    assert!(diff::text(&nothing(), &PLAIN).contains(words));
    assert!(diff::markdown(&nothing()).starts_with("## Partywall: nothing changes"));
    let unknown = Change { not_judged: everything().not_judged, ..nothing() };
    assert!(!diff::text(&unknown, &PLAIN).contains(words));
    assert!(diff::markdown(&unknown).starts_with("## Partywall: not everything is judged"));
}

#[rstest]
#[case::opens(Change { opened: vec![flow("a/x", "b/x", "1/TCP", false)], ..nothing() }, true)]
#[case::opens_as_allowed(Change { opened: vec![flow("a/x", "b/x", "1/TCP", true)], ..nothing() }, false)]
#[case::closes_what_is_promised(Change { closed: vec![flow("a/x", "b/x", "1/TCP", true)], ..nothing() }, true)]
#[case::closes_a_hole(Change { closed: vec![flow("a/x", "b/x", "1/TCP", false)], ..nothing() }, false)]
#[case::foreign_key(Change { secrets: vec![secret("a", None, false)], ..nothing() }, true)]
#[case::key_rotated(Change { secrets: vec![secret("a", None, true)], ..nothing() }, false)]
#[case::org(Change { orgs: everything().orgs, ..nothing() }, true)]
#[case::new_defect(Change { defects_added: everything().defects_added, ..nothing() }, true)]
#[case::mended(Change { defects_removed: everything().defects_removed, ..nothing() }, false)]
#[case::nothing(nothing(), false)]
fn a_change_against_the_contract_is_known(#[case] change: Change, #[case] breaks: bool) {
    assert_eq!(change.breaks_contract(), breaks);
    let says = "this change goes against the contract";
    assert_eq!(diff::markdown(&change).contains(says), breaks);
}

#[test]
fn a_thousand_tenants_stay_a_comment() {
    let of_tenant = |tenant: usize, port: usize| {
        let from = format!("tenant-{tenant:04}/web");
        flow(&from, &format!("tenant-{:04}/db", tenant / 2), &format!("{port}/TCP"), false)
    };
    let opened = (0..1000).map(|tenant| of_tenant(tenant, tenant)).collect();
    let change = Change { opened, ..nothing() };
    assert!(diff::markdown(&change).len() < 65_536);
    assert!(diff::text(&change, &PLAIN).lines().count() < 100);
}

#[test]
fn nothing_steers_a_terminal_or_a_page() {
    let evil = "\u{1b}[2Ja/x\n::error::<script>`|";
    let change = Change {
        opened: vec![Flow { because: blame(evil, 1, evil), ..flow(evil, evil, evil, false) }],
        secrets: vec![SecretChange {
            subject: evil.to_string(),
            ..secret(evil, Some(evil), false)
        }],
        ..nothing()
    };
    let text = diff::text(&change, &PLAIN);
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
    assert!(text.lines().all(|line| !line.starts_with("::")));
    assert!(!diff::markdown(&change).contains("<script"));
}
