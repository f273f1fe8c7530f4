//! All mutants of a layout.

use std::collections::BTreeMap;

use super::catalogue::CATALOGUE;
use super::ground::Ground;
use super::model::Generated;
use super::{flux, folders, namespaces, pairs, pipeline, rights, rules, secrets, walls};

/// Every mutant that the catalogue makes of a layout, in the catalogue's order, each change once.
pub fn generate(ground: &Ground<'_>) -> Vec<Generated> {
    let families = [
        walls::generate,
        pairs::generate,
        rules::generate,
        namespaces::generate,
        pipeline::generate,
        secrets::generate,
        flux::generate,
        rights::generate,
        folders::generate,
    ];
    let all: Vec<Generated> = families.iter().flat_map(|family| family(ground)).collect();
    let mut kept: Vec<Generated> = Vec::new();
    for mutant in all {
        // Two operators may come to the same text; what is no change is no mutant.
        let is_known = |other: &Generated| other.files.is_ok() && other.files == mutant.files;
        let is_change = mutant.files.as_ref().map_or(true, |files| {
            let now = |file: &String| ground.layout.files.get(file);
            files.iter().any(|(file, text)| now(file) != text.as_ref())
        });
        if is_change && !kept.iter().any(is_known) {
            kept.push(mutant);
        }
    }
    let place = |mutant: &Generated| CATALOGUE.iter().position(|one| *one == mutant.operator);
    kept.sort_by_key(place);
    unique(&mut kept);
    kept
}

/// A name that is there twice gets a number.
fn unique(mutants: &mut [Generated]) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for mutant in mutants {
        let count = seen.entry(mutant.name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            mutant.name.push_str(&format!("/{count}"));
        }
    }
}
