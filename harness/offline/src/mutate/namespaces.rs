//! Labels of namespaces: what selectors go by, and what admission is told by.

use serde_json::Value;

use super::catalogue::NAMESPACE_LABEL;
use super::ground::Ground;
use super::model::Generated;
use super::text::Change;

pub(super) fn generate(ground: &Ground<'_>) -> Vec<Generated> {
    let mut mutants = Vec::new();
    for namespace in ground.written("Namespace", "") {
        let labels = namespace.value()["metadata"]["labels"].as_object().cloned();
        for (label, value) in labels.into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_string);
            let said = format!("Namespace {} has no label {label}: {value}", namespace.name());
            let path = ["metadata", "labels", label.as_str()];
            let detail = label.replace('/', "-");
            let change = (&path[..], &Change::Remove);
            let mut mutant = namespace.mutant(NAMESPACE_LABEL, &detail, said, change);
            mutant.about =
                names(&namespace.objects.iter().map(|one| &one.value).collect::<Vec<_>>());
            mutants.push(mutant);
        }
    }
    mutants
}

fn names(values: &[&Value]) -> Vec<String> {
    values
        .iter()
        .filter_map(|value| value["metadata"]["name"].as_str())
        .map(str::to_string)
        .collect()
}
