//! Services of the platform that the contract does not name.

use partywall_core::contract::Contract;
use partywall_core::event::Defect;

use super::UNCLASSIFIED_SERVICE;
use super::findings::defect;
use crate::render::Rendered;

/// A tenant's own Services are classified by their namespace. A Service without a selector has
/// no pods that an endpoint could name.
pub(super) fn findings(rendered: &Rendered, contract: &Contract) -> Vec<Defect> {
    let mut found = Vec::new();
    for service in rendered.of_kind("Service") {
        let (namespace, selector) = (service.namespace(), service.text_map(&["spec", "selector"]));
        let is_platform = contract.platform.iter().any(|one| one == namespace);
        let mut endpoints = contract.endpoints.values();
        if !is_platform
            || selector.is_empty()
            || endpoints.any(|endpoint| endpoint.selects(namespace, &selector))
        {
            continue;
        }
        let summary = format!(
            "{} is in no endpoint of the contract, so nobody is asked who may reach it; name its \
             pods under `endpoints` in partywall.yaml",
            service.label()
        );
        let location = service.origin.clone();
        found.push(defect(UNCLASSIFIED_SERVICE, service.label(), location, summary));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::samples::{contract, layout, rendered};
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::named("observability", "selector: {app: loki, tier: x}", 0)]
    #[case::unnamed("observability", "selector: {app: tempo}", 1)]
    #[case::elsewhere("shared-services", "selector: {app: loki}", 1)]
    #[case::of_a_tenant("customer-a", "selector: {app: tempo}", 0)]
    #[case::without_pods("observability", "type: ExternalName", 0)]
    fn every_service_of_the_platform_is_named(
        #[case] namespace: &str,
        #[case] spec: &str,
        #[case] expected: usize,
    ) {
        let service = format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: {namespace}}}\nspec: {{{spec}}}\n"
        );
        let layout = layout(&[("s.yaml", &service)]);
        let rendered = rendered(&layout, &[("s.yaml", "Kustomization f/x")]);
        let found = findings(&rendered, &contract());
        assert_eq!(found.len(), expected);
        assert!(found.iter().all(|one| one.name == UNCLASSIFIED_SERVICE));
    }
}
