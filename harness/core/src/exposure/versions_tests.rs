use super::*;
use ExposedState::{Closed, Open};

fn place(name: &str) -> Place {
    ("a".to_string(), name.to_string())
}

fn secret(revision: u64, name: &str, right: Option<bool>) -> Version {
    let held = right
        .map(|right| Held { entries: [("values.yaml".to_string(), right)].into(), whole: right });
    Version { revision, at_us: revision * 10, turned: Turned::Secret(place(name), held) }
}

fn release(revision: u64, names: &[&str]) -> Version {
    let values = names.iter().map(|name| (name.to_string(), "values.yaml".to_string()));
    let turned = Turned::Release(place("web"), values.collect());
    Version { revision, at_us: revision * 10, turned }
}

fn pod(revision: u64, names: &[&str]) -> Version {
    let names = names.iter().map(ToString::to_string).collect();
    Version { revision, at_us: revision * 10, turned: Turned::Pod(place("web-0"), names) }
}

fn states(lane: &LaneVersions) -> Vec<(u64, ExposedState)> {
    lane.told.iter().map(|told| (told.at_us, told.state)).collect()
}

fn of_release(versions: Vec<Version>, unwatched: &[Unwatched]) -> LaneVersions {
    let mut found = lanes(versions, 10, unwatched);
    found.remove(&release_lane("a", "web", "values.yaml")).unwrap()
}

#[test]
fn a_secret_that_is_deleted_and_made_again_is_a_gap_however_short() {
    let mut back = secret(13, "x", Some(true));
    back.at_us = 120;
    let versions = vec![release(10, &["x"]), secret(10, "x", Some(true)), secret(12, "x", None)];
    let seen = of_release([versions, vec![back]].concat(), &[]);
    assert_eq!(states(&seen), [(100, Open), (120, Closed), (121, Open)]);
    assert_eq!((seen.events, seen.gaps), (2, 1));
}

#[test]
fn a_wrong_version_is_a_gap_and_another_right_one_is_none() {
    let versions = |right| {
        vec![
            secret(10, "x", Some(true)),
            release(10, &["x"]),
            secret(11, "x", Some(right)),
            secret(12, "x", Some(true)),
        ]
    };
    assert_eq!(of_release(versions(false), &[]).gaps, 1);
    let seen = of_release(versions(true), &[]);
    assert_eq!((seen.events, seen.gaps), (2, 0));
}

#[test]
fn a_reference_that_moves_first_makes_no_gap_and_one_that_moves_too_early_does() {
    let moved = |made: u64, followed: u64| {
        vec![
            secret(10, "one", Some(true)),
            release(10, &["one"]),
            secret(made, "two", Some(true)),
            release(followed, &["two"]),
            secret(20, "one", None),
        ]
    };
    let seen = of_release(moved(11, 12), &[]);
    // Of the new Secret before it was referred to, and of the old one after, nothing is counted.
    assert_eq!((seen.gaps, seen.events), (0, 1));
    assert_eq!(of_release(moved(12, 11), &[]).gaps, 1);
    // The old one goes before the release follows.
    assert_eq!(of_release(moved(11, 21), &[]).gaps, 1);
}

#[test]
fn versions_count_in_the_servers_order_and_not_as_they_are_told() {
    let mut late = release(12, &["two"]);
    late.at_us = 900;
    let versions = vec![
        secret(10, "one", Some(true)),
        release(10, &["one"]),
        secret(11, "two", Some(true)),
        secret(13, "one", None),
        late,
    ];
    assert_eq!(of_release(versions, &[]).gaps, 0);
}

#[test]
fn what_nobody_watched_is_neither_a_gap_nor_none() {
    let versions = vec![
        secret(10, "one", Some(true)),
        release(10, &["one"]),
        // The Secret `two` was made while nobody watched Secrets.
        release(15, &["two"]),
        secret(20, "two", Some(true)),
        secret(20, "one", None),
    ];
    let dark = Unwatched { after: 11, until: 20, from_us: 110, to_us: 200 };
    assert_eq!(of_release(versions.clone(), &[dark]).gaps, 0);
    assert_eq!(of_release(versions, &[]).gaps, 1);
}

#[test]
fn what_stood_when_the_watches_began_is_no_event() {
    let versions = vec![release(4, &["x"]), secret(9, "x", Some(true)), pod(10, &["x"])];
    let found = lanes(versions, 10, &[]);
    assert_eq!(found.len(), 2);
    assert!(found.values().all(|lane| lane.events == 0 && lane.gaps == 0), "{found:?}");
}

#[test]
fn a_pod_is_without_its_secret_only_while_it_is_there() {
    let lane = pods_lane("a", "x");
    let with_pod = vec![pod(10, &["x"]), secret(10, "x", Some(true)), secret(12, "x", None)];
    assert_eq!(lanes(with_pod, 10, &[])[&lane].gaps, 1);
    let without =
        vec![pod(10, &["x"]), secret(10, "x", Some(true)), pod(11, &[]), secret(12, "x", None)];
    assert_eq!(lanes(without, 10, &[])[&lane].gaps, 0);
}
