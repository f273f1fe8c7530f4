//! `partywall report`: render an earlier run again.

use partywall_core::Exit;

use crate::args::Report;
use crate::failure::Failure;
use crate::{print, reports};

/// Run `partywall report`.
pub fn report(arguments: &Report) -> Result<Exit, Failure> {
    let events = reports::read(&arguments.reports)?;
    print::result(&reports::rendered(arguments.format, &events)?);
    Ok(Exit::Holds)
}
