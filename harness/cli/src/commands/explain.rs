//! `partywall explain`: the lines that decide.

use partywall_core::Exit;
use partywall_core::contract::Tenant;
use partywall_core::probe::{Signal, signal_word};
use partywall_core::source::SourceLocation;
use partywall_offline::cluster::{Explained, OfflineCluster, Surroundings};
use partywall_offline::secret::explain_secret;
use partywall_offline::telemetry::Telemetry;
use partywall_report::console::{Colour, ConsoleOptions};
use partywall_report::explain::{Explanation, Line, Side, json, text};

use crate::args::{Explain, FilesArgs, TextFormat};
use crate::failure::Failure;
use crate::offline::{Opened, open};
use crate::{print, reports};

/// Connections that are explained in full; a port narrows a question.
const SHOWN_MAX: usize = 12;

/// Lines of a rule that are shown.
const SNIPPET_LINES: usize = 10;

/// Run `partywall explain`.
pub fn explain(arguments: &Explain) -> Result<Exit, Failure> {
    let files =
        FilesArgs { path: arguments.layout.clone(), keys: None, entry: None, no_cache: false };
    let opened = open(&files, arguments.rev.as_deref())?;
    let explanations = match arguments.from.as_str() {
        "secret" => vec![of_secret(&opened, &arguments.to)?],
        "org" => of_org(&opened, &arguments.to)?,
        from => of_reach(&opened, from, &arguments.to)?,
    };
    let shown = &explanations[..explanations.len().min(SHOWN_MAX)];
    for explanation in shown {
        let said = match arguments.format {
            TextFormat::Json => json(explanation).map_err(Failure::environment)?,
            TextFormat::Text => text(explanation, &reports::console_options()),
            TextFormat::Markdown => {
                let plain = ConsoleOptions { colour: Colour::Never, width: 100 };
                format!("```text\n{}\n```", text(explanation, &plain))
            }
        };
        print::result(&said);
        print::result(" ");
    }
    let rest = explanations.len() - shown.len();
    if rest > 0 {
        print::note(&format!("and {rest} more\nhint: name a workload and a port"));
    }
    Ok(Exit::Holds)
}

/// A line with what is written there.
fn line(opened: &Opened, location: Option<SourceLocation>, text: String) -> Line {
    let rendered = &opened.judgeable.rendered;
    let snippet = location.as_ref().and_then(|place| rendered.block(place, SNIPPET_LINES));
    Line { location, snippet, text }
}

fn of_reach(opened: &Opened, from: &str, to: &str) -> Result<Vec<Explanation>, Failure> {
    let rendered = &opened.judgeable.rendered;
    let project = &opened.files.project;
    let around = Surroundings::assumed(&project.contract, rendered);
    let cluster =
        OfflineCluster::new(&project.layout, rendered, &project.contract, &opened.keys, &around);
    let explained = cluster.explain(from, to).map_err(Failure::usage)?;
    let explanation = |one: &Explained| Explanation {
        question: format!("{} → {} on {}", one.from, one.to, one.port),
        verdict: match one.because.is_empty() {
            true => one.verdict.to_string(),
            false => format!("{}: {}", one.verdict, one.because),
        },
        sides: one
            .sides
            .iter()
            .map(|side| Side {
                title: side.title.clone(),
                lines: side
                    .lines
                    .iter()
                    .map(|found| line(opened, found.location.clone(), found.text.clone()))
                    .collect(),
            })
            .collect(),
    };
    Ok(explained.iter().map(explanation).collect())
}

fn of_secret(opened: &Opened, name: &str) -> Result<Explanation, Failure> {
    let (namespace, secret) = name.split_once('/').ok_or_else(|| {
        Failure::usage(format!("`{name}` is no Secret\nhint: write NAMESPACE/NAME"))
    })?;
    let (project, rendered) = (&opened.files.project, &opened.judgeable.rendered);
    let steps = explain_secret(&project.layout, rendered, &project.contract, namespace, secret);
    if steps.is_empty() {
        return Err(Failure::usage(format!("the layout makes no Secret {name}")));
    }
    // A line of a sealed file could still show a value that somebody forgot to seal.
    let lines = steps.into_iter().map(|(location, text)| Line { location, snippet: None, text });
    Ok(Explanation {
        question: format!("Secret {name}"),
        verdict: "how it comes to be, and who opens it".to_string(),
        sides: vec![Side { title: "from Git to its readers".to_string(), lines: lines.collect() }],
    })
}

fn of_org(opened: &Opened, name: &str) -> Result<Vec<Explanation>, Failure> {
    let contract = &opened.files.project.contract;
    let tenant = contract.tenant(name).ok_or_else(|| {
        let known: Vec<&str> = contract.tenants.iter().map(|one| one.name.as_str()).collect();
        Failure::usage(format!("the contract has no tenant `{name}`, only {}", known.join(", ")))
    })?;
    let telemetry = Telemetry::new(&opened.judgeable.rendered, contract);
    let signals = [Signal::Log, Signal::Metric];
    Ok(signals.iter().map(|signal| of_signal(opened, &telemetry, tenant, *signal)).collect())
}

fn of_signal(
    opened: &Opened,
    telemetry: &Telemetry<'_>,
    tenant: &Tenant,
    signal: Signal,
) -> Explanation {
    let trail = telemetry.trail(tenant, signal);
    let mut lines: Vec<Line> =
        trail.steps.into_iter().map(|step| line(opened, Some(step.location), step.what)).collect();
    let mut verdict = trail.ends.join("; ");
    if let Some(unknown) = trail.not_judged {
        verdict = format!("not judged: {}", unknown.subject);
        lines.push(line(opened, unknown.location, unknown.reason));
    }
    let signal = format!("{}s", signal_word(signal));
    let title = "the way, as if every policy let it through".to_string();
    Explanation {
        question: format!("{signal} of {} (organisation {})", tenant.name, tenant.org),
        verdict,
        sides: vec![Side { title, lines }],
    }
}
