//! The tenants' secret values in what our own commands wrote.

use std::path::{Path, PathBuf};

use partywall_core::Exit;
use partywall_core::contract::Contract;
use partywall_live::{FoundInFolders, secrets_in_folders};

use crate::commands::{block_on, load_session};
use crate::failure::Failure;
use crate::print;

/// Remember that a command wrote this folder on a session: later searches look into it too.
pub fn wrote(session: &str, folder: &Path) -> Result<(), Failure> {
    load_session(session)?.wrote(folder).map_err(Failure::environment)
}

/// Whether what a command wrote is free of secret values. A search that cannot be made, or that
/// does not find what it planted itself, proves nothing.
pub fn clean(session: &str, contract: &Contract, folders: &[PathBuf]) -> Result<Exit, Failure> {
    let searched = block_on(async {
        let session = load_session(session)?;
        for folder in folders {
            session.wrote(folder).map_err(Failure::environment)?;
        }
        Ok(secrets_in_folders(&session, contract, folders).await)
    })?;
    let found = match searched {
        Ok(found) => found,
        Err(reason) => {
            print::note(&format!("our own files were not searched for secret values: {reason}"));
            return Ok(Exit::Undetermined);
        }
    };
    // A file that does not open is judged by its own trial.
    for reason in &found.unknown {
        print::note(&format!("our own files were not searched for the values of {reason}"));
    }
    for place in &found.found {
        print::result(&format!("a secret value stands in our own files: {place}"));
    }
    if let Some(reason) = &found.blind {
        print::note(&format!("our own files were not all searched for secret values: {reason}"));
    }
    Ok(judged(&found))
}

/// One value that was found is a violation, whatever else could not be searched.
fn judged(found: &FoundInFolders) -> Exit {
    match (found.found.is_empty(), &found.blind) {
        (false, _) => Exit::Violated,
        (true, Some(_)) => Exit::Undetermined,
        (true, None) => Exit::Holds,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::clean(&[], None, Exit::Holds)]
    #[case::blind(&[], Some("a file cannot be read"), Exit::Undetermined)]
    #[case::found(&["report.html at 7"], None, Exit::Violated)]
    #[case::found_though_blind(&["report.html at 7"], Some("a file cannot be read"), Exit::Violated)]
    fn what_was_found_wins_over_what_could_not_be_searched(
        #[case] found: &[&str],
        #[case] blind: Option<&str>,
        #[case] expected: Exit,
    ) {
        let found = FoundInFolders {
            found: found.iter().map(ToString::to_string).collect(),
            unknown: Vec::new(),
            blind: blind.map(str::to_string),
        };
        assert_eq!(judged(&found), expected);
    }
}
