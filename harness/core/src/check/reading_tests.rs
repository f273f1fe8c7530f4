//! Rows for every way in which a read proves something, or nothing.

use std::collections::BTreeMap;

use rstest::rstest;

use super::*;
use crate::contract::Tenant;
use crate::data_source::DataSource;
use crate::observation::ReadSight;

fn both(status: Option<u16>, detail: &str, alone: [bool; 2], shown: [bool; 2]) -> ReadObservation {
    let sight = |at: usize| ReadSight { alone: alone[at], shown: shown[at] };
    let orgs = BTreeMap::from([("a".to_string(), sight(0)), ("b".to_string(), sight(1))]);
    ReadObservation { status, detail: detail.to_string(), orgs }
}

const YES: [bool; 2] = [true, true];
const NO: [bool; 2] = [false, false];

#[rstest]
#[case::refused(Some(422), "too many tenant IDs present. max: 1 actual: 2", YES, NO, "holds")]
#[case::of_another_cause(Some(422), "the query hit the limit of series", YES, NO, "undetermined")]
#[case::malformed(Some(400), "parse error", YES, NO, "undetermined")]
#[case::refused_in_words(Some(500), "rpc error: multiple org IDs present", YES, NO, "holds")]
#[case::both(Some(200), "", YES, YES, "violated")]
#[case::one(Some(200), "", YES, [false, true], "violated")]
#[case::shown_is_shown(Some(200), "", NO, [true, false], "violated")]
#[case::empty(Some(200), "", YES, NO, "undetermined")]
#[case::empty_in_words(Some(200), "multiple org IDs present", YES, NO, "undetermined")]
#[case::nothing_there(Some(422), "too many tenant IDs present", [true, false], NO, "undetermined")]
#[case::broken(Some(503), "no healthy ring", YES, NO, "undetermined")]
#[case::unauthorised(Some(401), "no org id", YES, NO, "undetermined")]
#[case::silent(None, "timed out", YES, NO, "undetermined")]
fn judges_two_organisations(
    #[case] status: Option<u16>,
    #[case] detail: &str,
    #[case] alone: [bool; 2],
    #[case] shown: [bool; 2],
    #[case] expected: &str,
) {
    assert_eq!(two_organisations(&both(status, detail, alone, shown)).word(), expected);
}

fn source(org: &str, grafana_org: &str) -> SourceSeen {
    let source = DataSource {
        name: format!("logs of {org}"),
        kind: "loki".to_string(),
        url: "http://loki:3100".to_string(),
        has_credentials: false,
        from_browser: false,
        editable: false,
        grafana_org: grafana_org.to_string(),
        organisations: vec![Some(org.to_string())],
        line: 1,
        header_line: 1,
    };
    SourceSeen {
        source,
        place: "ConfigMap o/sources".to_string(),
        location: None,
        store: Some(Signal::Log),
        status: Some(200),
        shown: [org.to_string()].into(),
        detail: String::new(),
    }
}

fn good() -> SourcesObservation {
    let markers = ["a", "b"].map(|org| (org.to_string(), true)).into();
    let sources = vec![source("a", "2"), source("b", "3")];
    SourcesObservation { namespace: "o".to_string(), sources, unread: Vec::new(), markers }
}

fn verdict(seen: &SourcesObservation) -> Verdict {
    let tenant =
        Tenant { name: "a".into(), namespaces: vec!["a".into()], org: "a".into(), secrets: None };
    sources(&SourcesProbe { tenant, store: Signal::Log }, seen)
}

#[test]
fn a_source_of_its_own_in_an_organisation_of_its_own_holds() {
    assert_eq!(verdict(&good()), Verdict::holds());
}

type Change = fn(&mut SourceSeen);

/// Gives a closure its type.
const fn by(change: Change) -> Change {
    change
}

#[rstest]
#[case::header_missing(by(|one| one.source.organisations.clear()), "names no organisation")]
#[case::header_empty(by(|one| one.source.organisations = vec![Some(String::new())]), "names an empty organisation")]
#[case::two_at_once(by(|one| one.source.organisations = vec![Some("a|b".into())]), "reads several at once: `a|b`")]
#[case::two_headers(by(|one| one.source.organisations.push(Some("b".into()))), "names several: `a`, `b`")]
#[case::browser(by(|one| one.source.from_browser = true), "has its reader's browser ask")]
#[case::editable(by(|one| one.source.editable = true), "may be edited")]
#[case::neighbours(by(|one| one.source.organisations = vec![Some("b".into())]), "no data source of Grafana in o reads the loki store as org a")]
#[case::other_type(by(|one| one.source.kind = "tempo".into()), "no data source of Grafana in o reads the loki store as org a")]
#[case::one_grafana_org(by(|one| one.source.grafana_org = "3".into()), "is in organisation 3 of Grafana, as is `logs of b` of org b")]
#[case::shows_other(by(|one| { one.shown.insert("b".into()); }), "shows what belongs to org b")]
#[case::shows_nothing(by(|one| one.shown.clear()), "does not show what is in org a: it answered 200")]
#[case::not_allowed(by(|one| { one.shown.clear(); one.status = Some(403); }), "it answered 403")]
#[case::wrong_path(by(|one| { one.shown.clear(); one.status = Some(404); }), "it answered 404")]
fn a_fault_of_a_source_is_told(#[case] change: Change, #[case] expected: &str) {
    let mut seen = good();
    change(&mut seen.sources[0]);
    let verdict = verdict(&seen);
    assert_eq!(verdict.word(), "violated", "{verdict:?}");
    assert!(verdict.reason().contains(expected), "{}", verdict.reason());
}

#[rstest]
#[case::silent(by(|one| { one.shown.clear(); one.status = None; one.detail = "timed out".into(); }), "did not answer: timed out")]
#[case::busy(by(|one| { one.shown.clear(); one.status = Some(429); }), "answered 429")]
#[case::broken(by(|one| { one.shown.clear(); one.status = Some(503); }), "answered 503")]
#[case::with_credentials(by(|one| { one.shown.clear(); one.status = Some(401); one.source.has_credentials = true; }), "without its credentials and answered 401")]
#[case::elsewhere(by(|one| { one.store = None; one.source.url = "http://10.96.0.7:3100".into(); }), "leads to `10.96.0.7:3100`")]
fn an_answer_that_is_not_of_the_source_proves_nothing(
    #[case] change: Change,
    #[case] expected: &str,
) {
    let mut seen = good();
    change(&mut seen.sources[0]);
    let verdict = verdict(&seen);
    assert_eq!(verdict.word(), "undetermined", "{verdict:?}");
    assert!(verdict.reason().contains(expected), "{}", verdict.reason());
}

/// A data source of the other store.
fn metrics(org: &str, grafana_org: &str) -> SourceSeen {
    let mut one = source(org, grafana_org);
    one.source.kind = "prometheus".to_string();
    (one.store, one.status) = (Some(Signal::Metric), None);
    one
}

#[rstest]
#[case::apart("b", "3", Some(Signal::Metric), "holds")]
#[case::together("b", "2", Some(Signal::Metric), "violated")]
#[case::of_nobody("", "2", Some(Signal::Metric), "holds")]
#[case::told_there("a|b", "2", Some(Signal::Metric), "holds")]
#[case::several_others("b|c", "2", Some(Signal::Metric), "violated")]
#[case::elsewhere_apart("b", "3", None, "holds")]
#[case::elsewhere_together("b", "2", None, "undetermined")]
#[case::elsewhere_of_nobody("", "2", None, "holds")]
#[case::elsewhere_of_its_own("a", "3", None, "undetermined")]
fn the_organisations_of_grafana_are_compared_for_both_stores(
    #[case] org: &str,
    #[case] grafana_org: &str,
    #[case] store: Option<Signal>,
    #[case] expected: &str,
) {
    let mut seen = good();
    seen.sources.push(SourceSeen { store, ..metrics(org, grafana_org) });
    assert_eq!(verdict(&seen).word(), expected, "{:?}", verdict(&seen));
}

#[rstest]
#[case::apart("3", "holds")]
#[case::together("2", "undetermined")]
fn an_unknown_source_of_the_other_store_counts_beside_its_own(
    #[case] grafana_org: &str,
    #[case] expected: &str,
) {
    let mut seen = good();
    let mut other = metrics("b", grafana_org);
    other.source.organisations = vec![None];
    seen.sources.push(other);
    assert_eq!(verdict(&seen).word(), expected);
}

#[test]
fn what_is_not_understood_proves_nothing() {
    let unread = vec!["Secret o/more has `datasources` without `apiVersion: 1`".to_string()];
    let mut seen = SourcesObservation { unread, ..good() };
    assert_eq!(verdict(&seen).word(), "undetermined");
    seen.sources.clear();
    assert_eq!(verdict(&seen).word(), "undetermined", "it may be the one");
    seen = SourcesObservation { sources: good().sources, ..seen };
    seen.sources[0].source.editable = true;
    assert_eq!(verdict(&seen).word(), "violated", "a fault is a fault beside it");
}

#[test]
fn none_at_all_is_a_fault_where_it_is_asked() {
    let seen = SourcesObservation { sources: Vec::new(), ..good() };
    assert_eq!(verdict(&seen).word(), "violated");
}

#[test]
fn an_organisation_that_only_grafana_knows_is_undetermined() {
    let mut seen = good();
    seen.sources[0].source.organisations = vec![None];
    assert_eq!(verdict(&seen).word(), "undetermined");
}

#[rstest]
#[case::own("a")]
#[case::other("b")]
fn an_empty_answer_without_a_marker_proves_nothing(#[case] org: &str) {
    let mut seen = good();
    seen.markers.insert(org.to_string(), false);
    seen.sources[0].shown.clear();
    seen.sources[0].shown.extend((org == "b").then(|| "a".to_string()));
    assert_eq!(verdict(&seen).word(), "undetermined");
}

#[test]
fn another_tenants_fault_is_not_this_ones() {
    let mut seen = good();
    seen.sources[1].source.editable = true;
    assert_eq!(verdict(&seen), Verdict::holds());
}
