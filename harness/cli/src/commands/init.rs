//! `partywall init`: draft a contract.

use std::fs;

use partywall_core::Exit;
use partywall_offline::load::working_tree_lenient;
use partywall_runner::{CONTRACT_FILE, draft_text};

use crate::args::Init;
use crate::failure::Failure;
use crate::offline::rendering;
use crate::print;

/// Run `partywall init`.
pub fn init(arguments: &Init) -> Result<Exit, Failure> {
    let layout = working_tree_lenient(&arguments.path).map_err(Failure::usage)?;
    let file = arguments.path.join(CONTRACT_FILE);
    if arguments.write && layout.files.contains_key(CONTRACT_FILE) {
        return Err(Failure::usage(format!(
            "{} is there already\nhint: without --write the draft is printed, for comparing",
            file.display()
        )));
    }
    let rendering = rendering(arguments.entry.clone(), true)?;
    let (text, notes) = draft_text(&layout, &rendering)?;
    for note in &notes {
        print::note(&format!("not judged: {}: {}", note.subject, note.reason));
    }
    if !arguments.write {
        print::result(&text);
        return Ok(Exit::Holds);
    }
    fs::write(&file, text)?;
    print::note(&format!(
        "{} is a draft: read it, correct it, and remove `draft: true`",
        file.display()
    ));
    Ok(Exit::Holds)
}
