//! `partywall doctor`.

use partywall_core::Exit;
use partywall_images::docker::{EnsureOptions, Install, ensure, server_version};
use partywall_tool::ToolError;

use crate::args::Doctor;
use crate::failure::Failure;
use crate::{machine, paths, print};

/// Run `partywall doctor`.
pub fn doctor(arguments: &Doctor) -> Result<Exit, Failure> {
    print::note(&format!("  machine: {}", machine::describe()));
    if !arguments.fix {
        return look();
    }
    let mut options = EnsureOptions::new(paths::cache())?;
    options.install = Install::Allowed;
    let report = ensure(&options).map_err(Failure::environment)?;
    for note in &report.notes {
        print::note(&format!("  {note}"));
    }
    print::note(&format!("  Docker {} answers", report.version));
    Ok(Exit::Holds)
}

fn look() -> Result<Exit, Failure> {
    let version = docker_answers()?;
    print::result(&format!("Docker {version} answers"));
    Ok(Exit::Holds)
}

/// The daemon's version, or how to get one. It is asked for before anything else: without Docker
/// no other thing that is missing matters.
pub fn docker_answers() -> Result<String, Failure> {
    server_version().map_err(|error| {
        let problem = match error {
            ToolError::NotFound { .. } => "Docker is not installed".to_string(),
            error => format!("the Docker daemon does not answer: {error}"),
        };
        Failure::environment(format!(
            "{problem}\nhint: `partywall doctor --fix` installs and starts it on Debian and \
             Ubuntu as root; elsewhere see Docker's own pages"
        ))
    })
}
