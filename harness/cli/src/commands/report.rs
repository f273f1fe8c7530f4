//! `partywall report`: render an earlier run again.

use partywall_core::Exit;
use partywall_core::event::Event;

use crate::args::Report;
use crate::failure::Failure;
use crate::{print, reports};

/// Run `partywall report`.
pub fn report(arguments: &Report) -> Result<Exit, Failure> {
    let folders = std::iter::once(&arguments.reports).chain(&arguments.with);
    let runs: Vec<Vec<Event>> = folders.map(|f| reports::read(f)).collect::<Result<_, _>>()?;
    let runs: Vec<&[Event]> = runs.iter().map(Vec::as_slice).collect();
    print::result(&reports::rendered_together(arguments.format, &runs)?);
    Ok(Exit::Holds)
}
