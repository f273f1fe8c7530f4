//! One Flux Kustomization, built.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use partywall_core::document::{Document, documents};
use partywall_core::event::NotJudged;
use partywall_core::source::SourceLocation;
use serde_json::Value;

use super::closure::{self, Refusal};
use super::generate::{generated, rewritten};
use super::object::parse_stream;
use super::options::RenderError;
use super::origin::Origins;
use super::program::{Ran, Run};
use super::tree::{Tree, resolved, within};

/// What kustomize-controller is asked to build.
#[derive(Clone, Debug)]
pub(super) struct BuildJob<'a> {
    pub(super) tree: Tree<'a>,
    /// `spec.path`.
    pub(super) path: String,
    pub(super) spec: Value,
    /// Where the Flux Kustomization is written, and how it is named.
    pub(super) location: SourceLocation,
    pub(super) label: String,
}

/// An object of a build: its text, which substitution works on, and where it is written.
#[derive(Clone, Debug)]
pub(super) struct Built {
    pub(super) value: Value,
    pub(super) text: String,
    pub(super) origin: SourceLocation,
}

/// A condition that is not met: its reason and message, as the controller writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.to_string(), message: message.into() }
    }
}

/// How a job ended: its objects or a failure, and what it met that is not judged.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) objects: Result<Vec<Built>, Failure>,
    pub(super) not_judged: Vec<NotJudged>,
    /// Whether there is a result at all; if not, `not_judged` says why.
    pub(super) known: bool,
}

impl Outcome {
    pub(super) fn new(objects: Result<Vec<Built>, Failure>, not_judged: Vec<NotJudged>) -> Self {
        Self { objects, not_judged, known: true }
    }

    pub(super) fn failed(failure: Failure) -> Self {
        Self::new(Err(failure), Vec::new())
    }
}

impl BuildJob<'_> {
    pub(super) fn run(&self, program: &Path, cache: Option<&Path>) -> Result<Outcome, RenderError> {
        // Flux joins the path below the artifact's root, where `..` leads no further up.
        let folder = crate::scan::join("", &self.path);
        if !self.tree.is_folder(&folder) {
            let message =
                format!("kustomization path not found: stat /{folder}: no such file or directory");
            return Ok(Outcome::failed(Failure::new("ArtifactFailed", message)));
        }
        let plan = match self.plan(&folder) {
            Ok(plan) => plan,
            Err(outcome) => return Ok(*outcome),
        };
        let run = Run {
            name: "kustomize",
            program,
            args: ["build", "--load-restrictor=LoadRestrictionsNone", "--", &format!("./{folder}")]
                .map(str::to_string)
                .to_vec(),
            files: plan.files,
            stdin: String::new(),
        };
        let ran = run.ran(cache)?;
        let not_judged = self.helm_charts(plan.own.as_ref());
        if !ran.good {
            return Ok(Outcome::new(Err(failed(&ran)), not_judged));
        }
        let origins = Origins { tree: &self.tree, folder: &folder, read: &plan.read };
        Ok(Outcome::new(objects(&ran.stdout, &origins), not_judged))
    }

    /// What the build reads: every file of the closure, with the Kustomize file of the folder
    /// rewritten.
    fn plan(&self, folder: &str) -> Result<Plan, Box<Outcome>> {
        let failed =
            |message: String| Box::new(Outcome::failed(Failure::new("BuildFailed", message)));
        let own = self.tree.kustomization(folder);
        let name = own.clone().unwrap_or_else(|| within(folder, "kustomization.yaml"));
        let (file, document) = match &own {
            Some(path) => {
                let text = self.tree.text(path).unwrap_or_default();
                let parsed = parse_stream(&self.tree.name(path), text);
                let parsed = parsed.map_err(|error| failed(error.to_string()))?;
                let document =
                    closure::kustomization(&self.tree, path).map(|found| found.into_owned());
                (parsed.into_iter().next().unwrap_or(Value::Null), document)
            }
            None => {
                let file = generated(&self.tree.listed(folder));
                let document = documents(&self.location.file, &file.to_string()).ok();
                let document = document.and_then(|found| found.into_iter().next());
                (file, document)
            }
        };
        let exists = |component: &str| {
            resolved(folder, component).is_some_and(|path| self.tree.is_folder(&path))
        };
        let file = rewritten(&file, &self.spec, exists).map_err(failed)?;
        // Patches that the Flux Kustomization brings along are texts of YAML as well.
        for whole in documents(&self.location.file, &file.to_string()).unwrap_or_default() {
            closure::written_in_place(&whole)
                .map_err(|refusal| Box::new(self.refused(&refusal)))?;
        }
        let added = self.added();
        let roots: Vec<&Document> = document.iter().chain(&added).collect();
        let read = closure::files_of(&self.tree, folder, &roots)
            .map_err(|refusal| Box::new(self.refused(&refusal)))?;
        let text = |path: &String| Some((path.clone(), self.tree.text(path)?.to_string()));
        let mut files: BTreeMap<String, String> = read.iter().filter_map(text).collect();
        files.insert(name, file.to_string());
        Ok(Plan { files, read, own: document.filter(|_| own.is_some()) })
    }

    /// The components that the Flux Kustomization names, as a Kustomize file of its own.
    fn added(&self) -> Option<Document> {
        let components = self.spec.get("components")?;
        let text = serde_json::json!({ "components": components }).to_string();
        documents(&self.location.file, &text).ok()?.into_iter().next()
    }

    fn refused(&self, refusal: &Refusal) -> Outcome {
        let (location, message, reason) = match refusal {
            Refusal::Remote { what, location } => (
                location,
                format!("accumulating resources from '{what}': remote bases are not allowed"),
                Some(format!("`{what}` lies elsewhere, and nothing is fetched")),
            ),
            Refusal::Escapes { what, location } => (
                location,
                format!(
                    "accumulating resources from '{what}': security; file '{what}' is not in or below '/'"
                ),
                None,
            ),
            Refusal::Plugin { what, location } => (
                location,
                format!("plugin '{what}' is not run"),
                Some(format!("the Kustomize plugin `{what}` is not run")),
            ),
            Refusal::Unread(error) => (
                &error.location,
                format!("{}: {}", error.location.file, error.message),
                Some("a file that it builds could not be read".to_string()),
            ),
        };
        let not_judged = reason.map(|reason| NotJudged {
            subject: self.label.clone(),
            reason,
            location: Some(location.clone()),
        });
        let message = format!("kustomize build failed: {message} ({location})");
        let failure = Failure::new("BuildFailed", message);
        Outcome::new(Err(failure), not_judged.into_iter().collect())
    }

    fn helm_charts(&self, own: Option<&Document>) -> Vec<NotJudged> {
        let own = own.filter(|own| own.root.get("helmCharts").is_some());
        let note = |own: &Document| NotJudged {
            subject: self.label.clone(),
            reason: "`helmCharts` in a Kustomize file: Flux does not inflate charts there"
                .to_string(),
            location: Some(own.locate(&["helmCharts"])),
        };
        own.map(note).into_iter().collect()
    }
}

struct Plan {
    files: BTreeMap<String, String>,
    read: BTreeSet<String>,
    own: Option<Document>,
}

fn failed(ran: &Ran) -> Failure {
    let text = ran.stderr.trim();
    let text = text.strip_prefix("Error: ").unwrap_or(text);
    Failure::new("BuildFailed", format!("kustomize build failed: {text}"))
}

/// The objects that Kustomize printed, each with its place and without the note of it.
fn objects(text: &str, origins: &Origins<'_>) -> Result<Vec<Built>, Failure> {
    let mut built = Vec::new();
    for text in split(text) {
        let values = parse_stream("kustomize", &text)
            .map_err(|error| Failure::new("BuildFailed", error.message))?;
        for mut value in values {
            let origin = origins.take(&mut value);
            built.push(Built { value, text: text.clone(), origin });
        }
    }
    Ok(built)
}

/// The documents of a program's output. Programs indent what texts contain, so that a separator
/// at the start of a line is one.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for line in text.split_inclusive('\n') {
        if line.trim_end() == "---" {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push_str(line);
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}
