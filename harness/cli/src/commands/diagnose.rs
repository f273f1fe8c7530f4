//! `partywall diagnose`.

use partywall_core::Exit;

use super::run::block_on;
use super::test::load_session;
use crate::args::Diagnose;
use crate::failure::Failure;
use crate::{leaks, print};

/// Run `partywall diagnose`.
pub fn diagnose(arguments: &Diagnose) -> Result<Exit, Failure> {
    let files = block_on(async {
        let session = load_session(&arguments.name.session)?;
        let collected = partywall_live::diagnose(&session, &arguments.out).await;
        collected.map_err(Failure::environment)
    })?;
    leaks::wrote(&arguments.name.session, &arguments.out)?;
    for file in &files {
        print::note(&file.display().to_string());
    }
    print::result(&format!("{} files in {}", files.len(), arguments.out.display()));
    Ok(Exit::Holds)
}
