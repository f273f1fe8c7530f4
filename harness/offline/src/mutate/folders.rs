//! Kustomize files: something left out, or moved to where it comes too late.

use std::collections::BTreeSet;

use partywall_core::layout::folder_of;
use partywall_core::source::SourceLocation;
use serde_json::Value;

use super::catalogue::{Operator, POLICIES_LEFT_OUT, POLICY_LATE, RESOURCE_LEFT_OUT};
use super::ground::{Ground, named};
use super::model::Generated;
use super::text::{Change, Text};
use crate::render::Object;
use crate::scan::join;

const NAMES: [&str; 2] = ["kustomization.yaml", "kustomization.yml"];

pub(super) fn generate(ground: &Ground<'_>) -> Vec<Generated> {
    let mut mutants = Vec::new();
    for file in ground.layout.files.keys() {
        let name = file.rsplit('/').next().unwrap_or_default();
        let Some(text) = ground.text(file).filter(|_| NAMES.contains(&name)) else { continue };
        for (index, entry) in entries(&text).into_iter().enumerate() {
            mutants.extend(left_out(ground, &text, index, &entry));
        }
    }
    mutants.extend(super::survey::tenants(ground).iter().filter_map(|one| late(ground, one)));
    mutants
}

/// What a Kustomize file lists.
fn entries(text: &Text) -> Vec<String> {
    let list = text.value(0).and_then(|value| value["resources"].as_array());
    let list = list.into_iter().flatten().filter_map(Value::as_str);
    list.map(str::to_string).collect()
}

/// The objects that are written in a file or below a folder.
fn objects_of<'a>(ground: &Ground<'a>, place: &str) -> Vec<&'a Object> {
    let below = format!("{place}/");
    let is_in = |file: &str| file == place || file.starts_with(&below);
    ground.rendered.objects.iter().filter(|object| is_in(&object.origin.file)).collect()
}

fn left_out(ground: &Ground<'_>, text: &Text, index: usize, entry: &str) -> Option<Generated> {
    let folder = folder_of(&text.file);
    let objects = objects_of(ground, &join(folder, entry));
    // What nobody applies cannot be missed.
    if objects.is_empty() {
        return None;
    }
    let is_walls = objects.iter().all(|object| object.kind() == "NetworkPolicy");
    let operator: &'static Operator = if is_walls { POLICIES_LEFT_OUT } else { RESOURCE_LEFT_OUT };
    let number = index.to_string();
    let changed = text.change(0, &["resources", &number], &Change::Remove);
    let line = changed.as_ref().map_or(1, |changed| changed.line);
    let subject = if folder.is_empty() { "root" } else { folder };
    let detail = entry.trim_start_matches("./").replace("../", "");
    Some(Generated {
        name: named(operator, &subject.replace('/', "."), &detail.replace('/', ".")),
        operator,
        change: format!("{} leaves {entry} out", text.file),
        location: SourceLocation::new(text.file.clone(), line),
        about: about(ground, &objects),
        files: changed.map(|changed| super::ground::one(&text.file, changed.text)),
    })
}

/// The namespaces of what is missing, or what it is.
fn about(ground: &Ground<'_>, objects: &[&Object]) -> Vec<String> {
    let mut words = BTreeSet::new();
    let namespaces: BTreeSet<&str> = objects.iter().map(|object| object.namespace()).collect();
    // The contract calls what stands there by names of its own.
    for (name, endpoint) in &ground.contract.endpoints {
        let place = endpoint.namespace.as_deref().unwrap_or_default();
        if !place.is_empty() && namespaces.contains(place) {
            words.insert(format!("`{name}`"));
        }
    }
    for object in objects {
        match (object.kind(), object.namespace()) {
            ("Kustomization", _) => {
                words.insert(object.label());
                words.insert(object.name().to_string());
            }
            ("Namespace", _) => {
                words.insert(object.name().to_string());
            }
            // What is the cluster's is about everybody.
            (_, "") => return Vec::new(),
            (_, namespace) => {
                words.insert(namespace.to_string());
                words.insert(format!("`{}`", object.name()));
            }
        }
    }
    words.into_iter().collect()
}

/// The file of a tenant's policies, listed where its workload is instead.
fn late(ground: &Ground<'_>, tenant: &super::survey::TenantFolders) -> Option<Generated> {
    let walls = ground.text(&tenant.walls_folder_file)?;
    let workload = ground.text(&tenant.workload_folder_file)?;
    let index = entries(&walls)
        .iter()
        .position(|entry| join(folder_of(&walls.file), entry) == tenant.walls_file)?;
    let number = index.to_string();
    let without = walls.change(0, &["resources", &number], &Change::Remove);
    let path = relative(folder_of(&workload.file), &tenant.walls_file);
    let with = workload.change(0, &["resources"], &Change::Push(Value::String(path)));
    let line = without.as_ref().map_or(1, |changed| changed.line);
    let files = without.and_then(|without| {
        let with = with?;
        let files = [(walls.file.clone(), without.text), (workload.file.clone(), with.text)];
        Ok(files.map(|(file, text)| (file, Some(text))).into())
    });
    Some(Generated {
        name: named(POLICY_LATE, &tenant.name, ""),
        operator: POLICY_LATE,
        change: format!("{} is listed by {} instead", tenant.walls_file, workload.file),
        location: SourceLocation::new(walls.file.clone(), line),
        about: tenant.namespaces.clone(),
        files,
    })
}

/// The way from a folder to a file.
fn relative(folder: &str, file: &str) -> String {
    let from: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
    let to: Vec<&str> = file.split('/').collect();
    let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = std::iter::repeat_n("..", from.len() - common);
    up.chain(to[common..].iter().copied()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::relative;

    #[test]
    fn the_way_from_a_folder_to_a_file() {
        assert_eq!(relative("customers/a", "platform/a/np.yaml"), "../../platform/a/np.yaml");
        assert_eq!(relative("", "np.yaml"), "np.yaml");
        assert_eq!(relative("x/y", "x/z.yaml"), "../z.yaml");
    }
}
