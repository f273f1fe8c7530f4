//! All checks of the wiring.

use partywall_core::Layout;
use partywall_core::contract::Contract;
use partywall_core::event::Defect;
use partywall_core::source::SourceLocation;

use super::{decryption, order, prune, recipients, reference, service, shared, unclassified};
use crate::render::Rendered;

/// Everything that is wrong with the wiring of a layout, in the order of the checks.
pub fn findings(layout: &Layout, rendered: &Rendered, contract: &Contract) -> Vec<Defect> {
    let mut found = reference::findings(layout, rendered, contract);
    found.extend(decryption::findings(layout, rendered));
    found.extend(order::findings(layout, rendered, contract));
    found.extend(recipients::findings(layout));
    found.extend(shared::findings(layout, rendered, contract));
    found.extend(service::findings(rendered, contract));
    found.extend(prune::findings(rendered));
    found.extend(unclassified::findings(rendered, contract));
    found
}

/// A defect that the files tell: no object says anything yet.
pub(super) fn defect(
    name: &str,
    object: impl Into<String>,
    location: SourceLocation,
    summary: impl Into<String>,
) -> Defect {
    Defect {
        name: name.to_string(),
        summary: summary.into(),
        object: object.into(),
        message: String::new(),
        location: Some(location),
        behind: None,
    }
}
