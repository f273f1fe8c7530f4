use rstest::rstest;
use serde_json::json;

use super::*;
use crate::wiring::samples::{SEALED, layout, rendered, secret};

const FILE: &str = "customers/a/secrets.yaml";

#[rstest]
#[case::whole(SEALED, 1)]
#[case::changed("other: text\n", 0)]
fn a_generated_secret_is_known_by_its_text(#[case] text: &str, #[case] expected: usize) {
    let layout = layout(&[(FILE, SEALED)]);
    let mut rendered = rendered(&layout, &[]);
    rendered.objects.push(secret("customer-a", "s-2456789bcd", text, "Kustomization f/a"));
    let found = carried(&layout, &rendered, &[FILE], |_| true);
    assert_eq!(found.len(), expected);
    assert!(found.iter().all(|one| one.entry == Some("values.yaml")));
}

#[test]
fn a_value_in_several_lines_is_read() {
    let mut object = secret("customer-a", "s", "x", "");
    object.value = json!({"kind": "Secret", "data": {"a": "aGVs\nbG8=\n", "b": "/w=="}});
    assert_eq!(entries(&object), [("a", "hello".to_string())]);
}
