//! `spec.postRenderers` of a HelmRelease: Kustomize over what the chart gave.

use std::collections::BTreeMap;
use std::path::Path;

use partywall_core::event::NotJudged;
use serde_json::{Value, json};

use super::build::{Built, Failure, Outcome, split};
use super::chart::TemplateJob;
use super::object::parse_stream;
use super::options::{Programs, RenderError};
use super::program::Run;

/// The objects after every post-renderer, in their order.
pub(super) fn run(
    job: &TemplateJob<'_>,
    built: Vec<Built>,
    programs: &Programs,
    cache: Option<&Path>,
) -> Result<Outcome, RenderError> {
    let mut outcome = Outcome::new(Ok(built), Vec::new());
    let renderers = job.spec.get("postRenderers").and_then(Value::as_array);
    for renderer in renderers.into_iter().flatten() {
        let Ok(built) = &outcome.objects else { return Ok(outcome) };
        match renderer.get("kustomize") {
            Some(kustomize) => outcome.objects = rendered(job, kustomize, built, programs, cache)?,
            None => outcome.not_judged.push(NotJudged {
                subject: job.label.clone(),
                reason: "one of its `postRenderers` is not `kustomize`".to_string(),
                location: Some(job.location.clone()),
            }),
        }
    }
    Ok(outcome)
}

fn rendered(
    job: &TemplateJob<'_>,
    kustomize: &Value,
    built: &[Built],
    programs: &Programs,
    cache: Option<&Path>,
) -> Result<Result<Vec<Built>, Failure>, RenderError> {
    let Ok(file) = super::generate::rewritten(
        &json!({"resources": ["all.yaml"]}),
        &only_patches(kustomize),
        |_| false,
    ) else {
        return Ok(Ok(built.to_vec()));
    };
    let all: Vec<String> = built.iter().map(|one| one.value.to_string()).collect();
    let files = [("kustomization.yaml", file.to_string()), ("all.yaml", all.join("\n---\n"))];
    let run = Run {
        name: "kustomize",
        program: &programs.kustomize,
        args: vec!["build".to_string(), ".".to_string()],
        files: files.map(|(name, text)| (name.to_string(), text)).into(),
        stdin: String::new(),
    };
    let ran = run.ran(cache)?;
    if !ran.good {
        let text = ran.stderr.trim();
        let message =
            format!("Helm install failed: error while running post render on files: {text}");
        return Ok(Err(Failure::new("InstallFailed", message)));
    }
    Ok(placed(job, built, &ran.stdout))
}

/// What a post-renderer may do; a path in it would name a file that is not there.
fn only_patches(kustomize: &Value) -> Value {
    let keys = ["patches", "patchesStrategicMerge", "patchesJson6902", "images"];
    let entry = |key: &&str| Some(((*key).to_string(), kustomize.get(key)?.clone()));
    Value::Object(keys.iter().filter_map(entry).collect())
}

/// The new objects, at the places of those that they were.
fn placed(job: &TemplateJob<'_>, before: &[Built], text: &str) -> Result<Vec<Built>, Failure> {
    let key = |value: &Value| {
        let text = |path: &str| {
            value.pointer(path).and_then(Value::as_str).unwrap_or_default().to_string()
        };
        (text("/kind"), text("/metadata/name"))
    };
    let places: BTreeMap<_, _> = before.iter().map(|one| (key(&one.value), &one.origin)).collect();
    let mut after = Vec::new();
    for text in split(text) {
        let values = parse_stream("kustomize", &text)
            .map_err(|error| Failure::new("InstallFailed", error.message))?;
        for mut value in values {
            super::origin::take_annotation(&mut value);
            let origin = places.get(&key(&value)).map_or(&job.location, |place| *place).clone();
            after.push(Built { value, text: String::new(), origin });
        }
    }
    Ok(after)
}
