//! One secret scenario put to files, for tests.

use partywall_core::Layout;
use partywall_core::check::judge;
use partywall_core::cluster::Backend;
use partywall_core::contract::Contract;
use partywall_core::inventory::Inventory;
use partywall_core::plan::{plan, trials};
use partywall_core::probe::Probe;
use partywall_core::scenario::load_scenario;

use super::{History, Keys, Vault};
use crate::wiring::samples::rendered;

pub(super) const OWNER_KEY: &str = include_str!("../../tests/data/owner-TEST-ONLY.key");
pub(super) const OTHER_KEY: &str = include_str!("../../tests/data/other-TEST-ONLY.key");

/// Keys of the tenants out of the texts of key files.
pub(super) fn keys(contract: &Contract, text: &str) -> Keys {
    Keys::from_texts([("keys", text)], contract).unwrap()
}

/// What the first tenant's trial says, and which line it blames.
pub(super) fn said(
    ask: &str,
    layout: &Layout,
    contract: &Contract,
    keys: &Keys,
    history: &History,
) -> String {
    let text = format!(
        "claim: x\nbecause: y\nfor: each-tenant\nprobe: {{secret: {{ask: {ask}}}}}\nexpect: sealed\n"
    );
    let scenario = load_scenario("secrets/x.yaml", &text).unwrap();
    let trials = trials(Backend::Offline, &[scenario], contract);
    let plan = plan(&trials, contract, &Inventory::default());
    let Probe::Secret(probe) = &plan.batch.probes[0] else { panic!("not a secret probe") };
    let rendered = rendered(layout, &[]);
    let vault = Vault::new(layout, &rendered, contract, keys).with_history(history);
    let verdict = judge(&plan, &trials[0], &plan.cells[0], &[vault.answer(probe)]);
    let said = format!("{}: {}", verdict.word(), verdict.reason());
    let blame = vault.blame(probe).filter(|_| verdict.word() == "violated");
    let blame = blame.map(|blame| format!("\n{} {}", blame.location, blame.because));
    said.trim_end_matches(": ").to_string() + &blame.unwrap_or_default()
}

/// A file that a cloud's key service keeps closed, and nobody else.
pub(super) fn in_service(text: &str, key: &str) -> String {
    let (before, rest) = text.split_once("    age:\n").unwrap();
    let (_, after) = rest.split_once("    lastmodified:").unwrap();
    let block = format!("    gcp_kms:\n        - resource_id: {key}\n          enc: x\n");
    format!("{before}{block}    lastmodified:{after}")
}
