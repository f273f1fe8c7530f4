//! Mutants of the reference layout and of layouts that nobody here wrote: what is generated, and
//! that each changes exactly the files that it names.

#[expect(dead_code, reason = "not every test needs all of it")]
mod render_support;

use std::collections::BTreeMap;

use partywall_core::Layout;
use partywall_core::contract::Contract;
use partywall_offline::load;
use partywall_offline::mutate::{Generated, Ground, generate};
use partywall_offline::render::{Rendered, Repository};
use partywall_offline::secret::Keys;

const FOREIGN: [&str; 5] = [
    "foreign-calico",
    "foreign-monorepo",
    "foreign-multi-tenancy",
    "foreign-plain",
    "foreign-workloads",
];

fn read(folder: &str) -> (Layout, Rendered) {
    let folder = render_support::root().join("fixtures").join(folder);
    let layout = load::working_tree_lenient(&folder).expect("the layout loads");
    let own = |url: &str| Repository {
        url: url.to_string(),
        prefix: ".".to_string(),
        files: BTreeMap::new(),
    };
    let repositories = [own("https://git.example.com/soev/deployments.git")];
    let rendered = render_support::rendered(&layout, &repositories);
    (layout, rendered)
}

fn mutants(layout: &Layout, rendered: &Rendered, contract: &Contract) -> Vec<Generated> {
    let keys = Keys::default();
    generate(&Ground { layout, rendered, contract, keys: &keys })
}

fn contract(layout: &Layout, rendered: &Rendered) -> Contract {
    let drafted = || partywall_offline::draft::draft(layout, rendered).contract_text;
    let text = layout.files.get("partywall.yaml").cloned().unwrap_or_else(drafted);
    Contract::load("partywall.yaml", &text).expect("the contract loads")
}

/// Every mutant that was made can be read again, and changes the files that it names and no other.
fn is_sound(layout: &Layout, mutant: &Generated) {
    let Ok(files) = &mutant.files else { return };
    let changed = mutant.applied(layout).unwrap_or_else(|error| panic!("{}: {error}", mutant.name));
    assert_eq!(changed.unread.len(), layout.unread.len(), "{}", mutant.name);
    let mut all: Vec<&String> = layout.files.keys().chain(changed.files.keys()).collect();
    all.sort();
    all.dedup();
    let differing: Vec<&String> = all
        .into_iter()
        .filter(|file| layout.files.get(*file) != changed.files.get(*file))
        .collect();
    assert_eq!(differing, files.keys().collect::<Vec<_>>(), "{}", mutant.name);
    assert!(mutant.diff(layout).contains("@@"), "{}", mutant.name);
    let again = Layout::lenient(changed.files.clone());
    assert_eq!(again.documents, changed.documents, "{}", mutant.name);
}

#[test]
fn the_mutants_of_the_reference_layout() {
    let (layout, rendered) = read("deployments");
    let made = mutants(&layout, &rendered, &contract(&layout, &rendered));
    made.iter().for_each(|mutant| is_sound(&layout, mutant));
    let names: Vec<&str> = made.iter().map(|mutant| mutant.name.as_str()).collect();
    insta::assert_snapshot!(names.join("\n"));
}

#[test]
fn layouts_that_nobody_here_wrote_have_mutants_too() {
    for folder in FOREIGN {
        let (layout, rendered) = read(&format!("layouts/{folder}"));
        let made = mutants(&layout, &rendered, &contract(&layout, &rendered));
        made.iter().for_each(|mutant| is_sound(&layout, mutant));
    }
}

#[test]
fn what_cannot_be_made_says_why() {
    let (layout, rendered) = read("deployments");
    let made = mutants(&layout, &rendered, &contract(&layout, &rendered));
    let recipient = made.iter().find(|mutant| mutant.operator.name == "recipient-added");
    let why = recipient.expect("it is listed").files.as_ref().expect_err("there is no key");
    assert!(why.contains("without a private key"), "{why}");
}
