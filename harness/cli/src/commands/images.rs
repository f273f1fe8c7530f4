//! `partywall images`.

use std::path::Path;

use partywall_core::Exit;
use partywall_images::{BuildRequest, Mode, Progress, ProgressEvent};

use crate::args::{ImageSource, Images, ImagesCommand};
use crate::failure::Failure;
use crate::{bundle, paths, print};

/// Run `partywall images`.
pub fn images(arguments: &Images) -> Result<Exit, Failure> {
    match &arguments.command {
        ImagesCommand::Build { only, images, registry_mirror } => {
            build(&paths::cache(), only, *images, registry_mirror.as_deref())
        }
        ImagesCommand::List => list(),
        ImagesCommand::Verify => verify(),
        ImagesCommand::Pin { registry_mirror } => pin(registry_mirror.as_deref()),
        ImagesCommand::Push { registry } => push(registry),
    }
}

/// Build or pull every component whose result is not in this cache.
pub fn build(
    cache: &Path,
    only: &[String],
    source: ImageSource,
    mirror: Option<&str>,
) -> Result<Exit, Failure> {
    let bundle = bundle::open(cache)?;
    let mode = bundle::mode(&bundle, source, mirror);
    let request = BuildRequest { mode, only: only.to_vec() };
    let report = bundle.build(&request, &Lines).map_err(Failure::environment)?;
    print::note(&format!(
        "{} made, {} taken from the cache, in {:.1} s",
        report.made,
        report.reused,
        report.duration.as_secs_f64()
    ));
    Ok(Exit::Holds)
}

fn list() -> Result<Exit, Failure> {
    let bundle = bundle::open(&paths::cache())?;
    let rows = bundle.list(&Mode::Bundle).map_err(Failure::environment)?;
    let lines = rows.iter().map(|row| {
        let mib = row.bytes >> 20;
        let images = row.images.join(" ");
        format!(
            "{:<24} {:<14} {:<10} {mib:>5} MiB  {images}",
            row.name,
            row.version,
            row.state.word()
        )
    });
    print::result(&lines.collect::<Vec<_>>().join("\n"));
    Ok(Exit::Holds)
}

fn verify() -> Result<Exit, Failure> {
    let bundle = bundle::open(&paths::cache())?;
    let findings = bundle.verify(&Mode::Bundle).map_err(Failure::environment)?;
    for finding in &findings {
        print::result(&format!("{}: {}", finding.component, finding.problem));
    }
    if findings.is_empty() {
        print::result("every component is what the lock file says");
        return Ok(Exit::Holds);
    }
    Ok(Exit::Environment)
}

fn pin(mirror: Option<&str>) -> Result<Exit, Failure> {
    let mut bundle = bundle::open(&paths::cache())?;
    for pinned in bundle.pin(mirror).map_err(Failure::environment)? {
        print::result(&format!("{} {}", pinned.reference, pinned.digest));
    }
    Ok(Exit::Holds)
}

fn push(registry: &str) -> Result<Exit, Failure> {
    let bundle = bundle::open(&paths::cache())?;
    for reference in bundle.push_to_mirror(registry).map_err(Failure::environment)? {
        print::result(&reference);
    }
    Ok(Exit::Holds)
}

/// One line for every step that is not in the cache.
struct Lines;

impl Progress for Lines {
    fn event(&self, event: &ProgressEvent<'_>) {
        let line = match event {
            ProgressEvent::Planned { steps } => format!("  {steps} steps"),
            ProgressEvent::Started { component, step, .. } => format!("  … {component} {step}"),
            ProgressEvent::Reused { .. } => return,
            ProgressEvent::Retried { component, attempt, reason } => {
                format!("  ↻ {component}: attempt {attempt} failed: {reason}")
            }
            ProgressEvent::Finished { component, step, duration, bytes } => format!(
                "  ✓ {:<30} {:>6.1} s  {:>5} MiB",
                format!("{component} {step}"),
                duration.as_secs_f64(),
                bytes >> 20
            ),
            ProgressEvent::Failed { component, message, log } => {
                let log = log.map(|log| format!(" (log: {})", log.display())).unwrap_or_default();
                format!("  ✗ {component}: {message}{log}")
            }
            ProgressEvent::Note { text } => format!("  {text}"),
        };
        print::note(&line);
    }
}
