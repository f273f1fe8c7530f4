use rstest::rstest;

use super::*;

fn cell(expect: &str, verdict: Verdict) -> CellResult {
    CellResult {
        trial: "kind::isolation::x".to_string(),
        row: "a".to_string(),
        column: "b/x".to_string(),
        square: "a/y -> b/x 1/TCP by pod".to_string(),
        from: None,
        to: String::new(),
        expect: expect.to_string(),
        controls: String::new(),
        evidence: None,
        verdict,
    }
}

fn recorded(seen: &str) -> Verdict {
    Verdict::Recorded { seen: seen.to_string() }
}

#[rstest]
#[case("denied", Verdict::holds(), State::Shut)]
#[case("denied", Verdict::violated("x"), State::Open)]
#[case("denied", Verdict::undetermined("x"), State::Unknown)]
#[case("reached", Verdict::holds(), State::Open)]
#[case("reached", Verdict::violated("x"), State::Shut)]
#[case("sealed", Verdict::holds(), State::Kept)]
#[case("sealed", Verdict::violated("x"), State::Broken)]
#[case("recorded", recorded("reached after 2 ms"), State::Open)]
#[case("recorded", recorded("dropped"), State::Shut)]
#[case("recorded", recorded("the files do not tell"), State::Recorded)]
fn an_answer_is_what_traffic_did(
    #[case] expect: &str,
    #[case] verdict: Verdict,
    #[case] state: State,
) {
    assert_eq!(State::answered(&cell(expect, verdict)), state);
}

/// Contract, files, cluster, and whether the two answers contradict each other.
#[rstest]
#[case("denied", Some(State::Shut), Some(State::Shut), "■■■", "ok 1")]
#[case("denied", Some(State::Shut), Some(State::Open), "■■○", "≠ ok 1")]
#[case("denied", Some(State::Unknown), Some(State::Shut), "■?■", "ok 1")]
#[case("denied", None, Some(State::Shut), "■·■", "ok 1")]
#[case("reached", Some(State::Open), None, "○○·", "ok 1")]
#[case("recorded", Some(State::Shut), Some(State::Open), "~■○", "ok 1")]
fn shows_three_layers(
    #[case] expect: &str,
    #[case] policy: Option<State>,
    #[case] observed: Option<State>,
    #[case] marks: &str,
    #[case] text: &str,
) {
    let mut layers = Layers::default();
    layers.enter(&cell(expect, Verdict::holds()), policy, observed);
    assert_eq!((layers.marks().as_str(), layers.text().as_str()), (marks, text));
}

#[test]
fn a_fold_stands_where_a_reader_has_to_look() {
    let mut well = Layers { place: Some((0, 1)), ..Layers::default() };
    well.enter(&cell("denied", Verdict::holds()), None, Some(State::Shut));
    let mut leak = Layers { place: Some((0, 2)), ..Layers::default() };
    leak.enter(&cell("denied", Verdict::violated("x")), None, Some(State::Open));
    let mut both = Layers::default();
    both.add(&well);
    both.add(&leak);
    assert_eq!(both.place, Some((0, 2)));
    assert_eq!((both.marks().as_str(), both.text().as_str()), ("■·◐", "LEAK 1/2"));
    assert!(both.words().contains("cluster: open and shut"), "{}", both.words());
}

#[test]
fn every_mark_has_a_shape_of_its_own() {
    let mut marks: Vec<char> = State::ALL.map(State::mark).to_vec();
    marks.extend([MIXED, NOT_ASKED, PARTLY]);
    marks.sort_unstable();
    marks.dedup();
    assert_eq!(marks.len(), State::ALL.len() + 3);
}

#[test]
fn an_answer_to_some_cells_is_not_shown_as_one_to_all() {
    let mut layers = Layers::default();
    let denied = cell("denied", Verdict::holds());
    layers.enter(&denied, Some(State::Shut), Some(State::Shut));
    layers.enter(&denied, None, Some(State::Shut));
    assert_eq!(layers.marks(), "■◌■");
    assert!(layers.words().contains("files: shut, of some cells only"), "{}", layers.words());
}
