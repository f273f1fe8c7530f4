use super::*;
use rstest::rstest;
use serde_json::json;

const POLICY: &str = "\
# Two policies.
apiVersion: v1
kind: A
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
  egress:
    - to:
        - podSelector: {}
    # Telemetry.
    - to:
        - namespaceSelector:
            matchLabels:
              purpose: shared
          podSelector:
            matchLabels:
              app: gateway
      ports:
        - port: 8000
          protocol: TCP
    # DNS.
    - ports:
      - port: 53
---
kind: B
metadata: {name: b, labels: {x: y}}
";

fn changed(path: &[&str], change: &Change) -> Changed {
    let text = Text::read("p.yaml", POLICY).unwrap();
    text.change(0, path, change).unwrap()
}

#[rstest]
#[case::rule(&["spec", "egress", "1"], Change::Remove)]
#[case::first_key_of_an_item(&["spec", "egress", "1", "to"], Change::Remove)]
#[case::second_key_of_an_item(&["spec", "egress", "1", "ports"], Change::Remove)]
#[case::selector(&["spec", "egress", "1", "to", "0", "podSelector"], Change::Set(json!({})))]
#[case::pushed(&["spec", "egress", "1", "ports"], Change::Push(json!({"port": 9, "protocol": "TCP"})))]
#[case::pushed_without_indentation(&["spec", "egress", "2", "ports"], Change::Push(json!({"port": 9})))]
#[case::flow(&["spec", "policyTypes"], Change::Set(json!(["Ingress"])))]
#[case::added(&["spec", "ingress"], Change::Set(json!([{}])))]
fn one_part_is_changed_and_the_rest_stays(#[case] path: &[&str], #[case] change: Change) {
    let changed = changed(path, &change);
    let word = match change {
        Change::Remove => "removed",
        Change::Set(_) => "set",
        Change::Push(_) => "pushed",
    };
    let name = format!("{}_{word}_{}", path.join("."), changed.line);
    let shown = super::super::unified("p.yaml", Some(POLICY), Some(&changed.text));
    insta::assert_snapshot!(name, shown);
    assert!(changed.text.contains("# Two policies.") && changed.text.contains("---\nkind: B"));
}

#[test]
fn a_part_of_a_line_is_changed_with_the_line() {
    let text = Text::read("p.yaml", POLICY).unwrap();
    let changed = text.change(1, &["metadata", "labels", "x"], &Change::Remove).unwrap();
    assert_eq!(changed.line, 26);
    let read = Text::read("p.yaml", &changed.text).unwrap();
    assert_eq!(read.value(1).unwrap()["metadata"], json!({"name": "b", "labels": {}}));
    assert!(changed.text.starts_with(&POLICY[..POLICY.find("---").unwrap()]));
}

#[test]
fn a_document_is_taken_out() {
    let text = Text::read("p.yaml", POLICY).unwrap();
    let first = text.without(0).unwrap();
    assert_eq!(first.text, "kind: B\nmetadata: {name: b, labels: {x: y}}\n");
    let second = text.without(1).unwrap();
    assert!(POLICY.starts_with(&second.text));
}

#[test]
fn what_is_not_there_is_not_changed() {
    let text = Text::read("p.yaml", POLICY).unwrap();
    assert!(text.change(0, &["spec", "ingress"], &Change::Remove).is_err());
    assert!(text.change(0, &["spec", "egress", "7"], &Change::Remove).is_err());
}

proptest::proptest! {
    #[test]
    fn whatever_is_written_stays_what_it_was_but_for_the_change(
        margin in 1_usize..5,
        keys in proptest::collection::vec("[a-d]", 1..5),
        flow in proptest::bool::ANY,
    ) {
        let mut text = String::from("root:\n");
        let mut seen = std::collections::BTreeSet::new();
        for key in keys.iter().filter(|key| seen.insert((*key).clone())) {
            let indent = " ".repeat(margin);
            let value = if flow { "{x: [1, two]}".to_string() } else { format!("\n{indent}  x:\n{indent}  - 1\n{indent}  - two") };
            text.push_str(&format!("{indent}{key}: {value}\n"));
        }
        let read = Text::read("t.yaml", &text).unwrap();
        let first = keys[0].as_str();
        for change in [Change::Remove, Change::Set(json!("new")), Change::Set(json!({"a": [1]}))] {
            let changed = read.change(0, &["root", first], &change).unwrap();
            let again = Text::read("t.yaml", &changed.text).unwrap();
            let mut meant = read.value(0).unwrap().clone();
            match &change {
                Change::Remove => { meant["root"].as_object_mut().unwrap().shift_remove(first); }
                Change::Set(value) => meant["root"][first] = value.clone(),
                Change::Push(_) => {}
            }
            proptest::prop_assert_eq!(again.value(0).unwrap(), &meant);
        }
        let pushed = read.change(0, &["root", first, "x"], &Change::Push(json!(3))).unwrap();
        let again = Text::read("t.yaml", &pushed.text).unwrap();
        proptest::prop_assert_eq!(&again.value(0).unwrap()["root"][first]["x"], &json!([1, "two", 3]));
    }
}
