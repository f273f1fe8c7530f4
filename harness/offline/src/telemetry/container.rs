//! Workloads, their containers, and the files that ConfigMaps put into them.

use std::collections::BTreeMap;

use partywall_core::event::NotJudged;
use partywall_core::inventory::PodName;
use partywall_core::source::SourceLocation;
use serde_json::Value;

use crate::render::{Object, Rendered};

/// An object that makes pods.
#[derive(Clone, Copy, Debug)]
pub(super) struct Workload<'a> {
    pub(super) object: &'a Object,
    template: &'static [&'static str],
}

impl<'a> Workload<'a> {
    /// The object, if it makes pods that stay: what a Job's pods send is not followed.
    pub(super) fn of(object: &'a Object) -> Option<Self> {
        let template: &[&str] = match object.kind() {
            "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ReplicationController" => {
                &["spec", "template"]
            }
            "Pod" => &[],
            _ => return None,
        };
        let runs = object.at(&["spec", "replicas"]).and_then(Value::as_u64) != Some(0);
        (runs && object.at(template).is_some()).then_some(Self { object, template })
    }

    /// The name that its first pod has offline.
    pub(super) fn pod(&self) -> PodName {
        PodName::new(self.object.namespace(), self.object.name())
    }

    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        self.object.text_map(&[self.template, &["metadata", "labels"]].concat())
    }

    /// Containers, and init containers that keep running beside them.
    pub(super) fn containers(&self) -> Vec<Container<'a>> {
        let mut found = Vec::new();
        for list in ["containers", "initContainers"] {
            let path = [self.template, &["spec", list]].concat();
            let items = self.object.at(&path).and_then(Value::as_array);
            for (index, value) in items.into_iter().flatten().enumerate() {
                if list == "containers" || value["restartPolicy"] == "Always" {
                    found.push(Container { workload: *self, list, index, value });
                }
            }
        }
        found
    }

    pub(super) fn volume(&self, name: &str) -> Option<&'a Value> {
        let volumes = self.object.at(&[self.template, &["spec", "volumes"]].concat())?;
        volumes.as_array()?.iter().find(|volume| volume["name"] == name)
    }

    pub(super) fn not_judged(&self, reason: impl Into<String>) -> NotJudged {
        not_judged(self.object, reason)
    }
}

/// Something about an object that cannot be judged.
pub(super) fn not_judged(object: &Object, reason: impl Into<String>) -> NotJudged {
    NotJudged {
        subject: object.label(),
        reason: reason.into(),
        location: Some(object.origin.clone()),
    }
}

/// One container of a workload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Container<'a> {
    pub(super) workload: Workload<'a>,
    list: &'static str,
    index: usize,
    pub(super) value: &'a Value,
}

impl<'a> Container<'a> {
    /// Where a part of the container is written. Of a chart only the template is known, where
    /// the line that says `needle` is looked for.
    pub(super) fn locate(
        &self,
        rendered: &Rendered,
        below: &[&str],
        needle: &str,
    ) -> SourceLocation {
        let object = self.workload.object;
        let index = self.index.to_string();
        let mut path = [self.workload.template, &["spec", self.list, index.as_str()]].concat();
        path.extend(below);
        let written = rendered.locate(object, &path);
        if written != object.origin {
            return written;
        }
        let text = rendered.sources.files.get(&object.origin.file).map_or("", String::as_str);
        let line = (1..).zip(text.lines()).find(|(_, line)| line.contains(needle));
        line.map_or(written, |(line, _)| SourceLocation::new(object.origin.file.clone(), line))
    }

    pub(super) fn declares(&self, port: u16) -> bool {
        let mut ports = self.ports();
        ports.any(|declared| declared["containerPort"] == port)
    }

    pub(super) fn named_port(&self, name: &str) -> Option<u16> {
        let found = self.ports().find(|declared| declared["name"] == name)?;
        u16::try_from(found["containerPort"].as_u64()?).ok()
    }

    fn ports(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.value["ports"].as_array().into_iter().flatten()
    }

    /// Command and arguments.
    pub(super) fn words(&self) -> Vec<&'a str> {
        let list = |key: &str| self.value[key].as_array().into_iter().flatten();
        list("command").chain(list("args")).filter_map(Value::as_str).collect()
    }

    /// The values of a flag, however it is written: `--config=a`, `-config a`.
    pub(super) fn flag(&self, name: &str) -> Vec<&'a str> {
        let words = self.words();
        let mut values = Vec::new();
        for (index, word) in words.iter().enumerate() {
            let Some(bare) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
                continue;
            };
            match bare.split_once('=') {
                Some((flag, value)) if flag == name => values.push(value),
                None if bare == name => values.extend(words.get(index + 1)),
                _ => {}
            }
        }
        values
    }

    /// The ConfigMap and the key that stand behind a path in the container.
    pub(super) fn mounted(&self, path: &str) -> Result<(String, String), String> {
        let mounts = self.value["volumeMounts"].as_array().into_iter().flatten();
        let under = mounts.filter_map(|mount| {
            let at = mount["mountPath"].as_str()?.trim_end_matches('/');
            let rest = path.strip_prefix(at)?;
            let rest = if rest.is_empty() { rest } else { rest.strip_prefix('/')? };
            Some((at.len(), mount, rest))
        });
        let Some((_, mount, rest)) = under.max_by_key(|(length, _, _)| *length) else {
            return Err(format!("{path} is in the image and not in the files"));
        };
        let file = [mount["subPath"].as_str().unwrap_or_default(), rest].join("/");
        let file = file.trim_matches('/');
        let name = mount["name"].as_str().unwrap_or_default();
        let volume =
            self.workload.volume(name).ok_or_else(|| format!("volume {name} is missing"))?;
        let projected = volume["projected"]["sources"].as_array().into_iter().flatten();
        let mut sources = std::iter::once(volume).chain(projected);
        let found = sources.find_map(|source| behind(&source["configMap"], file));
        found.ok_or_else(|| format!("{path} does not come from a ConfigMap of the files"))
    }
}

/// The ConfigMap's name and key of a file, if the volume's source has it.
fn behind(source: &Value, file: &str) -> Option<(String, String)> {
    let name = source["name"].as_str()?.to_string();
    let Some(items) = source["items"].as_array() else {
        return Some((name, file.to_string()));
    };
    let item = items.iter().find(|item| item["path"] == file)?;
    Some((name, item["key"].as_str()?.to_string()))
}
