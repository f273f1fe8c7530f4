//! `partywall report`: render an earlier run again.

use partywall_core::Exit;

use crate::args::{Format, Report};
use crate::failure::Failure;
use crate::{print, reports};

/// Run `partywall report`.
pub fn report(arguments: &Report) -> Result<Exit, Failure> {
    let events = reports::read(&arguments.reports)?;
    let text = match arguments.format {
        Format::Console => reports::console(&events),
        Format::Junit => reports::junit(&events)?,
        Format::Github => reports::github(&events),
    };
    print::result(&text);
    Ok(Exit::Holds)
}
