use partywall_core::exposure::{Held, release_lane};

use super::*;

fn place(name: &str) -> Place {
    ("a".to_string(), name.to_string())
}

fn version(revision: u64, turned: Turned) -> Version {
    Version { revision, at_us: revision * 100, turned }
}

/// A release, and a Secret that is deleted and made again at once.
fn chronicle() -> Chronicle {
    let held = || Held { entries: [("v".to_string(), true)].into(), whole: true };
    let values = [("x".to_string(), "v".to_string())].into();
    Chronicle {
        versions: vec![
            version(5, Turned::Secret(place("x"), Some(held()))),
            version(6, Turned::Release(place("web"), values)),
            version(9, Turned::Secret(place("x"), None)),
            version(10, Turned::Secret(place("x"), Some(held()))),
        ],
        begun: vec![(5, 500), (6, 600), (7, 700)],
        unwatched: Vec::new(),
        open: (0..WATCHES).collect(),
        is_fenced: true,
    }
}

#[test]
fn watches_tell_of_a_gap_that_no_look_can_see() {
    let (lanes, unwatched_us) = chronicle().lanes(10_000);
    let lane = &lanes[&release_lane("a", "web", "v")];
    assert_eq!((lane.gaps, lane.events, unwatched_us), (1, 2, 0));
}

#[test]
fn watches_that_did_not_all_begin_or_end_tell_nothing() {
    let (lanes, unwatched_us) = Chronicle { is_fenced: false, ..chronicle() }.lanes(10_000);
    assert_eq!((lanes.len(), unwatched_us), (0, 10_000));
    let mut two = chronicle();
    two.begun.pop();
    assert_eq!(two.lanes(10_000).1, 10_000);
}

#[test]
fn one_watch_that_is_broken_at_the_end_leaves_all_to_the_looks() {
    for watch in 0..WATCHES {
        let mut broken = chronicle();
        broken.open.remove(&watch);
        let (lanes, unwatched_us) = broken.lanes(10_000);
        assert_eq!((lanes.len(), unwatched_us), (0, 10_000), "watch {watch}");
    }
}

#[test]
fn a_gap_that_was_told_before_a_watch_broke_stays_one() {
    // The pods' watch last told of something long before it broke.
    let mut broken = chronicle();
    let after = broken.told_until(1050);
    assert_eq!((after, broken.told_until(0)), (10, 0));
    broken.unwatched.push(Unwatched { after, until: 20, from_us: 1050, to_us: 2000 });
    assert_eq!(broken.lanes(10_000).0[&release_lane("a", "web", "v")].gaps, 1);
}

#[test]
fn a_clock_that_was_set_back_breaks_nothing() {
    let mut broken = chronicle();
    broken.unwatched.push(Unwatched { after: 10, until: 20, from_us: 900, to_us: 800 });
    assert_eq!(broken.lanes(10_000).1, 0);
}

#[test]
fn a_watch_that_broke_leaves_its_stretch_to_the_looks() {
    let mut broken = chronicle();
    broken.unwatched.push(Unwatched { after: 8, until: 10, from_us: 850, to_us: 1000 });
    let (lanes, unwatched_us) = broken.lanes(10_000);
    assert_eq!(lanes[&release_lane("a", "web", "v")].gaps, 0);
    assert_eq!(unwatched_us, 150);
}

#[test]
fn a_release_that_is_gone_takes_nothing() {
    let release: DynamicObject = serde_json::from_value(serde_json::json!({
        "apiVersion": "v1", "kind": "HelmRelease", "metadata": {"name": "web", "namespace": "a"},
        "spec": {"valuesFrom": [{"kind": "Secret", "name": "x"}, {"kind": "ConfigMap", "name": "y"},
                                {"kind": "Secret", "name": "z", "valuesKey": "k"}]},
    }))
    .unwrap();
    let pairs = [("x", "values.yaml"), ("z", "k")];
    let pairs = pairs.map(|(name, entry)| (name.to_string(), entry.to_string()));
    assert_eq!(values_of(&release), pairs.into());
    assert_eq!(number(Some("12")), Some(12));
    assert_eq!(number(Some("opaque")), None);
}
