//! What programs read: JSON, SARIF and Markdown.

use partywall_report::{json, markdown, sarif};
use rstest::rstest;
use serde_json::Value;

use crate::{picture, sample};

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

#[test]
fn json_of_a_run_from_files() {
    insta::assert_snapshot!(json::render(&sample::offline()).unwrap());
}

#[test]
fn sarif_of_a_run_from_files() {
    insta::assert_snapshot!(sarif::render(&sample::offline()).unwrap());
}

#[test]
fn json_counts_what_the_run_counted() {
    let red = parsed(&json::render(&sample::red()).unwrap());
    assert_eq!(red["counts"]["leaks"], 2);
    assert_eq!(red["counts"]["probes"], 592);
    assert_eq!(red["outcome"], "violated");
    let open: usize = red["trials"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trial| trial["open"].as_array().unwrap().len())
        .sum();
    assert_eq!(open, 12 + 2 + 1 + 1);
    let offline = parsed(&json::render(&sample::offline_green()).unwrap());
    assert_eq!(offline["counts"]["probes"], Value::Null);
    assert_eq!(offline["counts"]["proofs"]["computed"], 6);
}

#[test]
fn json_of_merged_runs_names_only_what_they_share() {
    let both = [sample::green(), sample::offline_green()].concat();
    let merged = parsed(&json::render(&both).unwrap());
    assert_eq!(merged["backend"], Value::Null);
    assert_eq!(merged["layout"], "fixtures/deployments");
}

#[test]
fn a_run_that_was_killed_has_no_exit_code() {
    let mut killed = sample::offline_green();
    killed.pop();
    let object = parsed(&json::render(&killed).unwrap());
    assert_eq!((&object["outcome"], &object["exit"]), (&"no-result".into(), &Value::Null));
    let run = parsed(&sarif::render(&killed).unwrap())["runs"][0]["invocations"][0].clone();
    assert_eq!(run["executionSuccessful"], false);
    assert_eq!(run["toolExecutionNotifications"][0]["level"], "error");
}

/// Types made from the official schema refuse what it requires and is missing, and lose what it
/// does not know.
#[rstest]
#[case::red(sample::red())]
#[case::green(sample::green())]
#[case::offline(sample::offline())]
#[case::not_whole(sample::offline_not_whole())]
#[case::nothing(Vec::new())]
fn sarif_is_what_its_schema_asks_for(#[case] events: Vec<partywall_core::event::Event>) {
    let ours = parsed(&sarif::render(&events).unwrap());
    assert_eq!(through_the_schema(&ours).unwrap(), ours);
}

#[test]
fn the_schema_notices_a_wrong_file() {
    let good = parsed(&sarif::render(&sample::offline()).unwrap());
    let mut unknown = good.clone();
    unknown["runs"][0]["results"][0]["ruleIdentifier"] = "x".into();
    assert_ne!(through_the_schema(&unknown).unwrap(), unknown);
    let mut missing = good.clone();
    missing["runs"][0]["results"][0].as_object_mut().unwrap().remove("message");
    assert!(through_the_schema(&missing).is_err());
    let mut level = good;
    level["runs"][0]["results"][0]["level"] = "fatal".into();
    assert!(through_the_schema(&level).is_err() || through_the_schema(&level).unwrap() != level);
}

fn through_the_schema(value: &Value) -> Result<Value, serde_json::Error> {
    let typed: serde_sarif::sarif::Sarif = serde_json::from_value(value.clone())?;
    serde_json::to_value(typed)
}

#[test]
fn every_result_has_a_place_a_rule_and_a_fingerprint_of_its_own() {
    let log = parsed(&sarif::render(&sample::red()).unwrap());
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 3 + 3 + 1);
    let mut prints: Vec<&str> = Vec::new();
    for result in results {
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(uri.starts_with("fixtures/deployments/"), "{uri}");
        assert!(place["region"]["startLine"].as_u64().unwrap() >= 1);
        let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[rule]["id"], result["ruleId"]);
        prints.push(result["partialFingerprints"]["partywall/v1"].as_str().unwrap());
    }
    prints.sort_unstable();
    prints.dedup();
    assert_eq!(prints.len(), results.len());
}

#[test]
fn fingerprints_outlive_a_line_that_moved() {
    let prints = |events: &[partywall_core::event::Event]| {
        let log = parsed(&sarif::render(events).unwrap());
        let results = log["runs"][0]["results"].as_array().unwrap().clone();
        let of = |result: &Value| result["partialFingerprints"].clone();
        results.iter().map(of).collect::<Vec<Value>>()
    };
    let before = sample::red();
    let mut after = sample::red();
    for event in &mut after {
        if let partywall_core::event::Event::TrialFinished { blame: Some(blame), .. } = event {
            blame.location.line += 7;
        }
        if let partywall_core::event::Event::DefectFound(defect) = event {
            defect.location.as_mut().unwrap().line += 7;
        }
    }
    assert_eq!(prints(&before), prints(&after));
}

#[test]
fn markdown_has_experiments_and_mutants_beside_the_claims_and_without_them() {
    let (green, watched, mutated) = (sample::green(), picture::watched(), picture::mutated());
    let together = markdown::render_all(&[&green, &watched, &mutated]);
    for part in ["## Partywall: HOLDS", "### policy-removed", "### Mutants: 1 of 2"] {
        assert!(together.contains(part), "{part}: {together}");
    }
    let alone = markdown::render(&watched);
    assert!(alone.starts_with("### policy-removed"), "{alone}");
    assert!(alone.contains("policy-after-workload") && !alone.contains("NO RESULT"), "{alone}");
    assert!(markdown::render(&[]).contains("NO RESULT"));
}
