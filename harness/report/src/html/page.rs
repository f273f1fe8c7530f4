//! The page from its parts.

use std::fmt::Write as _;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, Output, State, escape_formatter};
use partywall_core::event::Event;
use serde::Serialize;

use super::exposure::{Exposure, exposures};
use super::findings::{Findings, findings};
use super::grid::{Grid, Sign, grids, legend};
use super::head::{Head, head};
use super::links::Links;
use super::measured::{MeasuredRow, measured};
use super::mutants::{Mutants, mutants};
use super::proof::{TopicProof, proofs};
use super::trials::{TrialTable, tables};
use crate::error::ReportError;
use crate::load;
use crate::scene::{Scene, Topic};

/// A page stays below this, however many tenants there are: proofs of squares in which all is
/// well are left out first, and the page says so.
pub const BYTES_MAX: usize = 5_000_000;

/// What the proofs may take of it at first; less where the rest takes more.
const PROOF_BYTES_MAX: usize = 3_500_000;

const PAGE: &str = include_str!("page.html");
const PARTS: [(&str, &str); 6] = [
    ("grid", include_str!("grid.html")),
    ("findings", include_str!("findings.html")),
    ("square", include_str!("square.html")),
    ("trials", include_str!("trials.html")),
    ("exposure", include_str!("exposure.html")),
    ("mutants", include_str!("mutants.html")),
];
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// SHA-256 of the style and of the script, as the page's policy names them. A test computes
/// them again.
const STYLE_HASH: &str = "tBvSAtqTCWrwLrfxLi3LFjY5RrE/Gb4lHe45DwbIQg4=";
const SCRIPT_HASH: &str = "fuyBi7U67yoEFgo1UBrTtzrQEmy0HyNaPTvX7Hzn4KY=";

#[derive(Serialize)]
struct Page {
    style: &'static str,
    script: &'static str,
    style_hash: &'static str,
    script_hash: &'static str,
    head: Head,
    findings: Findings,
    legend: Vec<Sign>,
    grids: Vec<Grid>,
    proofs: Vec<TopicProof>,
    trials: Vec<TrialTable>,
    exposures: Vec<Exposure>,
    mutants: Option<Mutants>,
    measured: Vec<MeasuredRow>,
    loads: Vec<[String; 6]>,
}

/// The page of one run, or of several in one stream.
pub fn render(events: &[Event]) -> Result<String, ReportError> {
    render_all(&[events])
}

/// The page of several streams over one layout: what a cluster says, what the files say, what a
/// meter saw, and what became of mutants.
pub fn render_all(streams: &[&[Event]]) -> Result<String, ReportError> {
    let environment = environment()?;
    let scene = Scene::of(streams);
    let topics = scene.topics();
    let mut room = PROOF_BYTES_MAX;
    loop {
        let page = composed(&environment, &scene, &topics, room)?;
        let over = page.len().saturating_sub(BYTES_MAX);
        if over == 0 || room == 0 {
            return Ok(page);
        }
        room = room.saturating_sub(over);
    }
}

fn composed(
    environment: &Environment<'_>,
    scene: &Scene<'_>,
    topics: &[Topic],
    proof_bytes_max: usize,
) -> Result<String, ReportError> {
    let mut links = Links::of(scene);
    let proofs = proofs(scene, topics, &mut links, environment, proof_bytes_max)?;
    let page = Page {
        style: STYLE,
        script: SCRIPT,
        style_hash: STYLE_HASH,
        script_hash: SCRIPT_HASH,
        head: head(scene),
        findings: findings(scene, topics, &links),
        legend: legend(scene.runs.iter().all(|run| run.view.is_offline())),
        grids: grids(topics, &links),
        trials: tables(scene, &links),
        exposures: exposures(scene),
        mutants: mutants(scene),
        measured: measured(scene),
        loads: loads(scene),
        proofs,
    };
    Ok(environment.get_template("page")?.render(Value::from(Serde(&page)))?)
}

/// What was counted while all tenants sent, by organisation, of every run.
fn loads(scene: &Scene<'_>) -> Vec<[String; 6]> {
    let runs = scene.runs.iter().map(|run| load::by_organisation(&run.view.loads));
    runs.flatten().map(|row| load::cells(&row)).collect()
}

fn environment() -> Result<Environment<'static>, ReportError> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_name| AutoEscape::Html);
    environment.set_formatter(escaped);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.add_template("page", PAGE)?;
    for (name, text) in PARTS {
        environment.add_template(name, text)?;
    }
    Ok(environment)
}

/// As the engine escapes, but for slashes: names are full of them, they need no escape in HTML,
/// and five bytes more for each is a tenth of the page.
fn escaped(output: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let text = match (value.as_str(), value.is_safe()) {
        (Some(text), false) if text.contains('/') => text,
        _ => return escape_formatter(output, state, value),
    };
    for (place, part) in text.split('/').enumerate() {
        if place > 0 {
            output.write_char('/')?;
        }
        escape_formatter(output, state, &Value::from(part))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use rstest::rstest;
    use sha2::{Digest, Sha256};

    use super::*;

    /// A browser runs neither the script nor the style whose hash the policy does not name.
    #[rstest]
    #[case(STYLE, STYLE_HASH)]
    #[case(SCRIPT, SCRIPT_HASH)]
    fn the_policy_names_the_hash_of_what_is_in_the_page(#[case] text: &str, #[case] hash: &str) {
        assert_eq!(STANDARD.encode(Sha256::digest(text)), hash);
    }
}
