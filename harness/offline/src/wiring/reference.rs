//! Names of objects that lead nowhere.
//!
//! A Secret may be made outside Git, by hand or by an operator, and mostly is; that one is not
//! in the files proves nothing. It is reported only where the files themselves show a mistake: a
//! generated name that was not rewritten, a Secret of that name in another namespace, or a key
//! Secret that the contract names for nobody.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use partywall_core::Layout;
use partywall_core::contract::Contract;
use partywall_core::event::Defect;
use regex::Regex;

use super::findings::defect;
use super::reference_list::{Reference, references};
use super::{GENERATED_NAME_NOT_REWRITTEN, REFERENCE_NOT_FOUND};
use crate::render::{Object, Rendered};

/// The namespace and the name of what `flux bootstrap` makes.
const BOOTSTRAP: &str = "flux-system";

/// The hash that Kustomize puts behind a generated name.
static HASH: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("^-[2456789bcdfghkmt]{10}$").ok());

pub(super) fn findings(layout: &Layout, rendered: &Rendered, contract: &Contract) -> Vec<Defect> {
    let names = Names::of(layout, rendered, contract);
    let mut found = Vec::new();
    for object in &rendered.objects {
        for reference in references(object) {
            found.extend(names.judge(object, &reference));
        }
    }
    found
}

struct Names<'a> {
    rendered: &'a Rendered,
    /// Kind, namespace and name of everything that is rendered.
    made: BTreeSet<(&'a str, &'a str, &'a str)>,
    /// Kind and name of what is written anywhere, where not everything could be rendered.
    written: BTreeSet<(&'a str, &'a str)>,
    key_secrets: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    fn of(layout: &'a Layout, rendered: &'a Rendered, contract: &'a Contract) -> Self {
        let objects = rendered.objects.iter();
        let made = objects.map(|one| (one.kind(), one.namespace(), one.name())).collect();
        let is_whole =
            rendered.not_judged.is_empty() && rendered.flux.iter().all(|state| state.ready);
        let written = if is_whole { BTreeSet::new() } else { written(layout) };
        let secrets = contract.tenants.iter().filter_map(|tenant| tenant.secrets.as_ref());
        let key_secrets = secrets.map(|secrets| secrets.key_secret.as_str()).collect();
        Self { rendered, made, written, key_secrets }
    }

    fn judge(&self, object: &Object, reference: &Reference) -> Option<Defect> {
        let Reference { kind, namespace, name, .. } = reference;
        if self.made.contains(&(kind.as_str(), namespace, name))
            || reference.optional
            || is_built_in(reference)
        {
            return None;
        }
        let path: Vec<&str> = reference.path.iter().map(String::as_str).collect();
        let location = self.rendered.locate(object, &path);
        let label = object.label();
        if let Some(generated) = self.generated(reference) {
            let summary = format!(
                "{label} reads {kind} `{name}`, and the generator makes it as `{generated}`; list \
                 a file with a `nameReference` for {} in `configurations` of the \
                 kustomization.yaml that generates it",
                object.kind()
            );
            return Some(defect(GENERATED_NAME_NOT_REWRITTEN, label, location, summary));
        }
        if self.written.contains(&(kind.as_str(), name)) || self.is_refused(object, reference) {
            return None;
        }
        let next = if kind == "Secret" {
            self.secret(object, reference)?
        } else {
            "correct the name, or add the object".to_string()
        };
        let summary =
            format!("{label} names {kind} {namespace}/{name}, which nothing makes; {next}");
        Some(defect(REFERENCE_NOT_FOUND, label, location, summary))
    }

    /// What to do about a Secret that is not in the files; nothing where it may well exist.
    fn secret(&self, object: &Object, reference: &Reference) -> Option<String> {
        let Reference { namespace, name, .. } = reference;
        if reference.path.iter().any(|step| step == "decryption") {
            let key = format!("{namespace}/{name}");
            return (!self.key_secrets.contains(key.as_str())).then(|| {
                "a key Secret is made outside Git: name it as a tenant's `keySecret` in \
                 partywall.yaml, or correct the name"
                    .to_string()
            });
        }
        let elsewhere = self.rendered.of_kind("Secret").find(|secret| secret.name() == name)?;
        Some(format!(
            "a Secret of that name is in namespace `{}`, where {} cannot read it",
            elsewhere.namespace(),
            object.kind()
        ))
    }

    /// The name of the generated object that was meant.
    fn generated(&self, reference: &Reference) -> Option<&str> {
        if !matches!(reference.kind.as_str(), "ConfigMap" | "Secret") {
            return None;
        }
        let hash = HASH.as_ref()?;
        let mut names = self.made.iter().filter(|(kind, namespace, _)| {
            *kind == reference.kind && *namespace == reference.namespace
        });
        names.find_map(|(_, _, name)| {
            let rest = name.strip_prefix(reference.name.as_str())?;
            hash.is_match(rest).then_some(*name)
        })
    }

    /// Whether Flux would refuse the reference for its namespace, which is a defect of its own.
    fn is_refused(&self, object: &Object, reference: &Reference) -> bool {
        reference.namespace != object.namespace()
            && self.rendered.flux.iter().any(|state| {
                state.reason == "AccessDenied"
                    && state.kind == object.kind()
                    && state.namespace == object.namespace()
                    && state.name == object.name()
            })
    }
}

/// What stands in a cluster with Flux although no file of the layout makes it.
fn is_built_in(reference: &Reference) -> bool {
    let in_flux = reference.namespace == BOOTSTRAP;
    match reference.kind.as_str() {
        "ServiceAccount" => {
            reference.name == "default" || (in_flux && reference.name.ends_with("-controller"))
        }
        "GitRepository" | "OCIRepository" | "Bucket" | "Kustomization" => {
            in_flux && reference.name == BOOTSTRAP
        }
        _ => false,
    }
}

/// Kind and name of every written object, and of every generator's.
fn written(layout: &Layout) -> BTreeSet<(&str, &str)> {
    let mut found = BTreeSet::new();
    for document in &layout.documents {
        found.insert((document.kind(), document.name()));
        for (key, kind) in [("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")] {
            let generators = document.root.items(&[key]).iter();
            found.extend(generators.filter_map(|one| Some((kind, one.text(&["name"])?))));
        }
    }
    found
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
