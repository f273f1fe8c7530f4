//! The phases of `partywall e2e` that go beyond one run of the claims: two nodes, generated
//! mutants, the exposure meter.

use partywall_core::Exit;

use super::e2e::{agree_of, mutants_of, test_of, up_of};
use super::watch::watch_phase;
use super::{agree, down, mutants, mutate, test, up};
use crate::args::{E2e, FilesArgs, LiveMutants, Mutants, Mutate, MutateFormat, Name, Up};
use crate::failure::Failure;
use crate::watch::Trial;
use crate::{paths, print};

/// The generated mutants that each run puts to the cluster too: one that is judged soon, since the
/// mutants of the fixtures have torn every wall before it; `make mutate` takes all.
const OPERATOR: &str = "plaintext-secret/customer-a";
/// The layout whose order leaves a window.
const BESIDE: &str = "fixtures/layouts/policies-beside-workloads";
/// The fixtures' mutants that only two nodes can tell.
const OF_TWO_NODES: &str = "28-";

/// Mutants generated from the reference layout: some of them, by the files and on the cluster.
pub fn generated_mutants(arguments: &E2e) -> Result<Exit, Failure> {
    mutate::mutate(&Mutate {
        files: FilesArgs { path: None, keys: None, entry: None, no_cache: false },
        name: arguments.name.clone(),
        live: Some(LiveMutants::All),
        offline: false,
        operator: Some(OPERATOR.to_string()),
        scenarios: None,
        list: false,
        verbose: false,
        reports: arguments.reports.join("mutate"),
        format: MutateFormat::Console,
    })
}

/// The exposure meter: policies taken away and put back, a tenant's birth, in a layout whose order
/// leaves no window and in one whose order does, and a tenant's key rotated.
pub fn exposure(arguments: &E2e) -> Result<Exit, Failure> {
    let reports = arguments.reports.join("watch");
    let reference = [Trial::PolicyRemoved, Trial::TenantBorn, Trial::KeyRotated];
    let exit =
        metered(|| watch_phase(&arguments.name, None, &reference, reports.join("reference")))?;
    let beside = paths::root().join(BESIDE);
    let born = [Trial::TenantBorn];
    Ok(exit.and(metered(|| {
        watch_phase(&arguments.name, Some(beside.clone()), &born, reports.join("beside"))
    })?))
}

/// Once more where a starved machine left too little to tell: that is no verdict, so that no leak
/// hides behind it.
fn metered(phase: impl Fn() -> Result<Exit, Failure>) -> Result<Exit, Failure> {
    match phase()? {
        Exit::Undetermined => {
            print::note("the meter could not tell; once more");
            phase()
        }
        exit => Ok(exit),
    }
}

/// Isolation once more with the tenants on two nodes, in a session of its own.
pub fn two_nodes(arguments: &E2e) -> Result<Exit, Failure> {
    let session = format!("{}-two", arguments.name.session);
    let arguments = E2e {
        name: Name { session },
        reports: arguments.reports.join("two-nodes"),
        ..arguments.clone()
    };
    let result = on_two_nodes(&arguments);
    let removed = down::down(&arguments.name);
    Ok(result?.and(removed?))
}

fn on_two_nodes(arguments: &E2e) -> Result<Exit, Failure> {
    let mut exit = up::up(&Up { nodes: 2, ..up_of(arguments) })?;
    exit = exit.and(test::test(&test_of(arguments, None))?);
    if exit != Exit::Holds {
        return Ok(exit);
    }
    exit = exit.and(agree::agree(&agree_of(arguments))?);
    let filter = Some(OF_TWO_NODES.to_string());
    Ok(exit.and(mutants::mutants(&Mutants { filter, one_each: false, ..mutants_of(arguments) })?))
}
