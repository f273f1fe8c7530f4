//! Sealed files that are applied and not opened.

use partywall_core::Layout;
use partywall_core::event::Defect;
use partywall_core::layout::is_yaml;

use super::findings::defect;
use super::{DECRYPTION_MISSING, Kustomization};
use crate::render::Rendered;
use crate::secret::{Carried, carried};
use crate::sops;

pub(super) fn findings(layout: &Layout, rendered: &Rendered) -> Vec<Defect> {
    let files = sealed_files(layout);
    let all = carried(layout, rendered, &files, |_| true);
    let mut found: Vec<Defect> = Vec::new();
    for one in &all {
        let Some(kustomization) = Kustomization::of(rendered, one.object) else { continue };
        let label = kustomization.label();
        let is_known = found.iter().any(|defect| defect.object == label);
        if kustomization.decrypts() || is_known || is_said(rendered, &label) {
            continue;
        }
        let location = rendered.locate(kustomization.0, &["spec"]);
        found.push(defect(DECRYPTION_MISSING, label.clone(), location, summary(&label, one)));
    }
    found
}

/// Whether Flux itself would say so, and with that there is a defect already.
fn is_said(rendered: &Rendered, label: &str) -> bool {
    rendered.flux.iter().any(|state| {
        format!("{} {}/{}", state.kind, state.namespace, state.name) == label
            && state.message.contains("is SOPS encrypted")
    })
}

fn summary(label: &str, one: &Carried<'_>) -> String {
    let effect = match one.entry {
        Some(entry) => {
            format!("so entry `{entry}` of {} arrives as SOPS sealed it", one.object.label())
        }
        None => "so Flux refuses to apply it".to_string(),
    };
    format!(
        "{label} takes in the sealed file {} and has no `decryption`, {effect}; add \
         `spec.decryption` with the Secret of the key",
        one.file
    )
}

/// Every sealed file of a layout.
pub(super) fn sealed_files(layout: &Layout) -> Vec<&str> {
    let files = layout.files.iter().filter(|(file, text)| is_yaml(file) && sops::is_sealed(text));
    files.map(|(file, _)| file.as_str()).collect()
}

#[cfg(test)]
#[path = "decryption_tests.rs"]
mod tests;
