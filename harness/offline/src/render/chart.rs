//! One HelmRelease, templated.

use std::collections::BTreeMap;
use std::path::Path;

use partywall_core::event::NotJudged;
use partywall_core::source::SourceLocation;
use serde_json::{Map, Value, json};

use super::apply::{add, flattened};
use super::asks;
use super::build::{Built, Failure, Outcome, split};
use super::entry::HELM_GROUP;
use super::hook;
use super::object::{Object, parse_stream};
use super::options::{Programs, RenderError};
use super::post_render;
use super::program::Run;
use super::scope::{group_of, is_cluster_wide};
use super::tree::{Tree, resolved, within};
use super::values::merge;

/// The Kubernetes of the pinned node image.
const KUBERNETES: &str = "1.34.4";

/// What helm-controller is asked to install.
#[derive(Clone, Debug)]
pub(super) struct TemplateJob<'a> {
    pub(super) tree: Tree<'a>,
    /// `spec.chart.spec`.
    pub(super) chart: Value,
    /// The HelmRelease's own `spec`, name and namespace.
    pub(super) spec: Value,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) values: Map<String, Value>,
    /// What of its values could not be read.
    pub(super) unread: Vec<String>,
    pub(super) location: SourceLocation,
    pub(super) label: String,
}

impl TemplateJob<'_> {
    pub(super) fn run(
        &self,
        programs: &Programs,
        cache: Option<&Path>,
    ) -> Result<Outcome, RenderError> {
        let path = self.chart.get("chart").and_then(Value::as_str).unwrap_or_default();
        let folder = crate::scan::join("", path);
        let Some(about) = self.about(&folder) else {
            let message = format!("no chart at path '{path}'");
            return Ok(Outcome::failed(self.source_failure(&message)));
        };
        if let Some(needed) = self.unvendored(&folder, &about) {
            let reason =
                format!("its chart needs the chart `{needed}`, which is not in the repository");
            return Ok(self.not_judged(reason));
        }
        let mut files = self.files(&folder);
        match self.default_values(&folder) {
            Ok(Some(values)) => {
                files.insert(within(&folder, "values.yaml"), values.to_string());
            }
            Ok(None) => {}
            Err(failure) => return Ok(Outcome::failed(failure)),
        }
        let asked = self.asked(&folder, &files);
        let ran = self.helm(programs, &folder, files).ran(cache)?;
        if !ran.good {
            let failure = self.install_failure(&about, &ran.stderr);
            // Where the cluster answers, the same chart may well install.
            let known = asked.is_empty();
            return Ok(Outcome { objects: Err(failure), not_judged: asked, known });
        }
        let (built, hooks) = match self.objects(&folder, &ran.stdout) {
            Ok(found) => found,
            Err(failure) => return Ok(Outcome::new(Err(failure), asked)),
        };
        let mut outcome = post_render::run(self, built, programs, cache)?;
        let unread = self.unread.iter().map(|unread| self.note(format!("values: {unread}")));
        outcome.not_judged.extend(unread.chain(asked).chain(hooks));
        if let Ok(objects) = &mut outcome.objects {
            self.finish(objects);
            let hooks =
                objects.extract_if(.., |one| hook::is_hook(&one.value) && !hook::runs(&one.value));
            outcome.not_judged.extend(hooks.map(|one| self.hook(one)));
        }
        Ok(outcome)
    }

    fn helm<'p>(
        &self,
        programs: &'p Programs,
        folder: &str,
        files: BTreeMap<String, String>,
    ) -> Run<'p> {
        let namespace = format!("--namespace={}", self.release_namespace());
        let version = format!("--kube-version={KUBERNETES}");
        let chart = format!("./{folder}");
        // Names stand behind `--`, so that none of them is taken for a flag.
        let args = [
            "template",
            &namespace,
            &version,
            "--include-crds",
            "--skip-tests",
            "--values=-",
            "--",
        ];
        let mut args: Vec<String> = args.map(str::to_string).to_vec();
        args.extend([self.release_name(), chart]);
        let stdin = Value::Object(self.values.clone()).to_string();
        Run { name: "helm", program: &programs.helm, args, files, stdin }
    }

    /// Helm's last words, without the warnings before them.
    fn install_failure(&self, about: &Value, stderr: &str) -> Failure {
        let said = stderr.rsplit_once("Error: ").map_or(stderr, |(_, said)| said);
        let said = said.split("\n\nUse --debug flag").next().unwrap_or_default().trim();
        let text = |key: &str| about.get(key).and_then(Value::as_str).unwrap_or_default();
        let message = format!(
            "Helm install failed for release {}/{} with chart {}@{}: {said}",
            self.release_namespace(),
            self.release_name(),
            text("name"),
            text("version")
        );
        Failure::new("InstallFailed", message)
    }

    /// `Chart.yaml`.
    fn about(&self, folder: &str) -> Option<Value> {
        let path = within(folder, "Chart.yaml");
        parse_stream(&path, self.tree.text(&path)?).ok()?.into_iter().next()
    }

    /// A chart that this one is made of and that does not lie in it.
    fn unvendored(&self, folder: &str, about: &Value) -> Option<String> {
        let old = within(folder, "requirements.yaml");
        let old = self.tree.text(&old).and_then(|text| parse_stream(&old, text).ok());
        let old = old.and_then(|values| values.into_iter().next()).unwrap_or(Value::Null);
        let listed =
            [about, &old].into_iter().filter_map(|file| file.get("dependencies")?.as_array());
        let names = listed.flatten().filter_map(|one| one.get("name")?.as_str());
        let lacks =
            |name: &&str| !self.tree.is_file(&within(folder, &format!("charts/{name}/Chart.yaml")));
        names.into_iter().find(lacks).map(str::to_string)
    }

    fn files(&self, folder: &str) -> BTreeMap<String, String> {
        let paths = self.tree.below(folder);
        paths
            .filter_map(|path| Some((path.to_string(), self.tree.text(path)?.to_string())))
            .collect()
    }

    /// `spec.chart.spec.valuesFiles`, which stand in the place of the chart's own `values.yaml`.
    fn default_values(&self, folder: &str) -> Result<Option<Value>, Failure> {
        let Some(listed) = self.chart.get("valuesFiles").and_then(Value::as_array) else {
            return Ok(None);
        };
        let ignore_missing =
            self.chart.get("ignoreMissingValuesFiles").and_then(Value::as_bool) == Some(true);
        let mut values = Map::new();
        for file in listed.iter().filter_map(Value::as_str) {
            // The one name that Flux knows is the chart's own, everything else stands in the
            // repository.
            let path = resolved("", file).unwrap_or_default();
            let path = if self.tree.is_file(&path) { path } else { within(folder, file) };
            let parsed = self.tree.text(&path).map(|text| parse_stream(&path, text));
            match parsed {
                Some(Ok(parsed)) => {
                    if let Some(Value::Object(over)) = parsed.into_iter().next() {
                        merge(&mut values, &over);
                    }
                }
                Some(Err(error)) => return Err(self.source_failure(&error.to_string())),
                None if ignore_missing => {}
                None => {
                    return Err(
                        self.source_failure(&format!("no values file found at path '{file}'"))
                    );
                }
            }
        }
        Ok((!listed.is_empty()).then_some(Value::Object(values)))
    }

    fn source_failure(&self, why: &str) -> Failure {
        let message = format!(
            "HelmChart '{}/{}-{}' is not ready: {why}",
            self.namespace, self.namespace, self.name
        );
        Failure::new("SourceNotReady", message)
    }

    fn not_judged(&self, reason: String) -> Outcome {
        Outcome { objects: Ok(Vec::new()), not_judged: vec![self.note(reason)], known: false }
    }

    fn note(&self, reason: String) -> NotJudged {
        NotJudged { subject: self.label.clone(), reason, location: Some(self.location.clone()) }
    }

    /// What its chart makes dependent on the cluster.
    fn asked(&self, folder: &str, files: &BTreeMap<String, String>) -> Vec<NotJudged> {
        let note = |question: asks::Question| NotJudged {
            subject: self.label.clone(),
            reason: format!(
                "its chart asks the cluster (`{}`), so the files do not tell what it renders there",
                question.word
            ),
            location: Some(question.place.map_or_else(
                || self.location.clone(),
                |(file, line)| SourceLocation::new(self.tree.name(&file), line),
            )),
        };
        asks::questions(files, folder, &self.values).into_iter().map(note).collect()
    }

    /// The objects that the release has once it is installed, and those that are only hooks.
    /// Not every Helm shows hooks to post-renderers, so that none of these is unmade by one.
    fn objects(&self, folder: &str, text: &str) -> Result<(Vec<Built>, Vec<NotJudged>), Failure> {
        let mut built = Vec::new();
        let mut hooks = Vec::new();
        for text in split(text) {
            let template = text.lines().find_map(|line| line.strip_prefix("# Source: "));
            let values = parse_stream("helm", &text).map_err(|error| {
                let message = format!(
                    "Helm install failed: {} of {}",
                    error.message,
                    template.unwrap_or("a template")
                );
                Failure::new("InstallFailed", message)
            })?;
            // A list is a hook as a whole.
            let hooked = |value: Value| {
                let whole = hook::is_hook(&value);
                flattened(value).into_iter().map(move |one| (whole || hook::is_hook(&one), one))
            };
            for (is_hook, value) in values.into_iter().flat_map(hooked) {
                let origin = self.origin(folder, template, &value);
                let one = Built { value, text: String::new(), origin };
                if is_hook && !hook::runs(&one.value) {
                    hooks.push(self.hook(one));
                } else {
                    built.push(one);
                }
            }
        }
        Ok((built, hooks))
    }

    fn hook(&self, mut one: Built) -> NotJudged {
        self.finish(std::slice::from_mut(&mut one));
        let object =
            Object { value: one.value, origin: one.origin, applied_by: self.label.clone() };
        let (subject, reason) = (object.label(), hook::REASON.to_string());
        NotJudged { subject, reason, location: Some(object.origin) }
    }

    /// The template, on the line of this kind. Helm names it behind the chart's name.
    fn origin(&self, folder: &str, template: Option<&str>, value: &Value) -> SourceLocation {
        let path = template.and_then(|template| template.trim().split_once('/'));
        let Some((_, path)) = path else { return self.location.clone() };
        let path = within(folder, path);
        let text =
            |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let line = self
            .tree
            .text(&path)
            .map_or(1, |source| kind_line(source, text("/kind"), text("/metadata/name")));
        SourceLocation::new(self.tree.name(&path), line)
    }

    pub(super) fn release_namespace(&self) -> &str {
        let target = self.spec.get("targetNamespace").and_then(Value::as_str);
        target.filter(|target| !target.is_empty()).unwrap_or(&self.namespace)
    }

    fn release_name(&self) -> String {
        let text =
            |key: &str| self.spec.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let name = match (text("releaseName"), text("targetNamespace")) {
            (Some(name), _) => name.to_string(),
            (None, Some(target)) => format!("{target}-{}", self.name),
            (None, None) => self.name.clone(),
        };
        shortened(&name)
    }

    /// The namespace of the release, and the labels of helm-controller.
    fn finish(&self, objects: &mut [Built]) {
        let values: Vec<Value> = objects.iter().map(|one| one.value.clone()).collect();
        let is_definition =
            |value: &&Value| value.get("kind") == Some(&json!("CustomResourceDefinition"));
        let definitions: Vec<&Value> = values.iter().filter(is_definition).collect();
        let owner = json!({
            format!("{HELM_GROUP}/name"): self.name,
            format!("{HELM_GROUP}/namespace"): self.namespace,
        });
        for Built { value, .. } in objects {
            let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
            let wide = is_cluster_wide(text("kind"), group_of(text("apiVersion")), &definitions);
            let metadata = value.get_mut("metadata").and_then(Value::as_object_mut);
            if let Some(metadata) = metadata
                && !wide
                && metadata.get("namespace").and_then(Value::as_str).is_none_or(str::is_empty)
            {
                metadata.insert("namespace".to_string(), json!(self.release_namespace()));
            }
            add(value, "labels", Some(owner.clone()));
            add(value, "labels", self.spec.pointer("/commonMetadata/labels").cloned());
            add(value, "annotations", self.spec.pointer("/commonMetadata/annotations").cloned());
        }
    }
}

/// Flux's own shortening of names that Helm would refuse.
fn shortened(name: &str) -> String {
    use sha2::{Digest, Sha256};
    const LONGEST: usize = 53;
    const HASH: usize = 12;
    if name.len() <= LONGEST {
        return name.to_string();
    }
    let sum: String =
        Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let start = name.get(..LONGEST - HASH - 1).unwrap_or(name);
    format!("{start}-{}", sum.get(..HASH).unwrap_or_default())
}

/// The line of a template on which an object of this kind begins: with its name nearby, or the
/// first of its kind, or the first line where helpers write the kind.
fn kind_line(text: &str, kind: &str, name: &str) -> u64 {
    /// How far below its kind an object's name stands at most.
    const NEARBY: usize = 8;
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let wanted = format!("kind: {kind}");
    let of_kind =
        || lines.iter().enumerate().filter(|(_, line)| **line == wanted).map(|(index, _)| index);
    let named = format!("name: {name}");
    let near = |index: &usize| {
        let own = lines.iter().skip(*index).take(NEARBY).take_while(|line| **line != "---");
        own.into_iter().any(|line| line.replace(['"', '\''], "") == named)
    };
    // A chart whose helpers write whole objects names them after the kind.
    let helper = kind.to_lowercase();
    let included = |line: &str| {
        let name = line.split_once("include \"").and_then(|(_, rest)| rest.split('"').next());
        name.is_some_and(|name| name.rsplit('.').next().is_some_and(|last| last == helper))
    };
    let found = of_kind()
        .find(near)
        .or_else(|| of_kind().next())
        .or_else(|| lines.iter().position(|line| included(line)));
    found.map_or(1, |index| index as u64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("Service", "b", 5)]
    #[case("Service", "c", 2)]
    #[case("Deployment", "a", 8)]
    #[case("Ingress", "a", 1)]
    fn finds_the_line_of_a_kind(#[case] kind: &str, #[case] name: &str, #[case] expected: u64) {
        let text = "{{ if x }}\nkind: Service\nmetadata: {}\n---\nkind: Service\nmetadata:\n  name: \"b\"\n{{ include \"x.deployment\" . }}\n";
        assert_eq!(kind_line(text, kind, name), expected);
    }

    #[test]
    fn the_kubernetes_is_the_pinned_one() {
        let lock = include_str!("../../../../kind-config/images.lock");
        assert!(lock.contains(&format!("- name: kubernetes\n    version: v{KUBERNETES}\n")));
    }

    #[test]
    fn long_names_are_shortened() {
        let name = "a".repeat(60);
        let short = shortened(&name);
        assert_eq!(short.len(), 53);
        assert!(short.starts_with(&"a".repeat(40)), "{short}");
        assert_eq!(shortened("short"), "short");
    }
}
