use rstest::rstest;

use super::*;

const VALUE: &str = "s3cret-value-of-a-tenant";

fn hunt() -> Hunt {
    Hunt {
        own: vec![Canary::new("a/secrets.yaml token", VALUE)],
        planted: Canary::new(PLANTED, "planted-by-a-test"),
    }
}

#[rstest]
#[case::events("events/run.jsonl", format!("{{\"detail\":\"{VALUE}\"}}\n"))]
#[case::page("report.html", format!("<td>{VALUE}</td>"))]
#[case::junit("junit.xml", format!("<failure>{VALUE}</failure>"))]
#[case::image("image.tar", format!("a layer with {VALUE}"))]
#[case::of_a_mutant("71-name/events/run.jsonl", format!("token={VALUE}"))]
fn one_that_a_command_wrote_is_found(#[case] file: &str, #[case] text: String) {
    let run = tempfile::tempdir().unwrap();
    let path = run.path().join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    let (heap, unread) = hunt().written("planted-by-a-test", &[run.path().to_path_buf()]);
    assert_eq!(unread, 0);
    let place = told("reports", heap);
    assert_eq!(place.blind, None);
    assert_eq!(place.found.len(), 1, "{place:?}");
    assert!(place.found[0].contains(file) && !place.found[0].contains(VALUE), "{place:?}");
}

#[test]
fn a_search_that_does_not_find_what_was_planted_is_blind() {
    let (heap, _) = hunt().written("another value", &[]);
    assert!(told("reports", heap).blind.is_some());
    let (heap, _) = hunt().written("planted-by-a-test", &[]);
    let place = told("reports", heap);
    assert_eq!((place.blind, place.found.len()), (None, 0));
}

#[test]
fn each_file_of_a_run_must_show_what_was_planted() {
    let value = planted_value().unwrap();
    let mut heap = Heap::default();
    let of = |value: &str| Hunt { own: Vec::new(), planted: Canary::new(PLANTED, value) };
    of(&value).control(&mut heap, &value);
    assert_eq!((heap.read, heap.planted, heap.failed), (3, true, None));
    let mut heap = Heap::default();
    of("another value").control(&mut heap, &value);
    assert!(heap.failed.is_some());
}

#[test]
fn a_large_file_is_searched_across_the_borders_of_its_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.jsonl");
    // Wherever a border falls into the value, one block has it whole.
    for before in 100..100 + VALUE.len() {
        let text = format!("{}{VALUE}{}", "x".repeat(before), "y".repeat(500));
        std::fs::write(&path, text).unwrap();
        let mut heap = Heap::default();
        hunt().file(&mut heap, "reports run.jsonl", &path, 64).unwrap();
        assert!(!heap.found.is_empty() && heap.failed.is_none(), "{before}: {heap:?}");
    }
}

#[test]
fn a_file_of_several_blocks_is_read_to_its_end() {
    let run = tempfile::tempdir().unwrap();
    let mut text = vec![b'x'; BLOCK * 2];
    text.extend(VALUE.bytes());
    std::fs::write(run.path().join("run.jsonl"), &text).unwrap();
    let mut heap = Heap::default();
    hunt().folder(&mut heap, "reports", run.path());
    assert_eq!((heap.read, heap.found.len(), heap.failed), (1, 1, None));
}

#[test]
fn an_archive_that_is_too_large_is_not_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.gz");
    std::fs::write(&path, [&[0x1f, 0x8b][..], &[0; 500]].concat()).unwrap();
    let mut heap = Heap::default();
    hunt().file(&mut heap, "reports logs.gz", &path, 64).unwrap();
    assert!(heap.failed.unwrap().contains("too large"));
}

#[test]
fn a_folder_that_is_not_there_is_blind_and_hides_nothing_else() {
    let run = tempfile::tempdir().unwrap();
    std::fs::write(run.path().join("report.html"), VALUE).unwrap();
    let mut heap = Heap { planted: true, ..Heap::default() };
    hunt().folder(&mut heap, "reports", run.path());
    hunt().folder(&mut heap, "reports", &run.path().join("gone"));
    let mut all = FoundInFolders::default();
    all.add(told("reports", heap));
    assert_eq!(all.found.len(), 1);
    assert!(all.blind.unwrap().contains("cannot be read"));
}

#[test]
fn only_images_that_the_session_keeps_are_left_out() {
    let session = Path::new("/state/sessions/x");
    assert!(is_image(session, &session.join("agent.tar")));
    assert!(!is_image(session, &session.join("work/deployments/a.tar")));
    assert!(!is_image(session, &session.join("session.json")));
}

#[tokio::test]
async fn a_planted_file_is_gone_with_the_search() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("planted-a.json");
    std::fs::write(&path, "planted").unwrap();
    let file = PlantedFile(path.clone());
    Arc::new(hunt()).aside(move |_| drop(file)).await.unwrap();
    assert!(!path.exists());
}
