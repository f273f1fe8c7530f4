//! From a layout to the text of its contract.

use partywall_core::Layout;
use partywall_core::event::NotJudged;

use super::endpoints::Endpoint;
use super::flows::{Flows, flows};
use super::namespaces::Namespaces;
use super::repositories::{Repository, repositories};
use super::secrets::sealed;
use super::telemetry::{Stores, org, stores};
use super::tenants::{Tenant, tenants};
use super::workloads::Workloads;
use super::{endpoints, text};
use crate::render::Rendered;

/// A drafted contract.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The text of `partywall.yaml`, with `draft: true` and comments for its reader.
    pub contract_text: String,
    /// What could not be told.
    pub notes: Vec<NotJudged>,
}

/// All that is known before it is written down.
pub(super) struct Findings {
    pub(super) tenants: Vec<Tenant>,
    pub(super) platform: Vec<String>,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) flows: Flows,
    pub(super) stores: Option<Stores>,
    pub(super) repositories: Vec<Repository>,
}

/// Draft the contract of a layout.
pub fn draft(layout: &Layout, rendered: &Rendered) -> Draft {
    let mut notes = Vec::new();
    let namespaces = Namespaces::of(layout, rendered, &mut notes);
    let workloads = Workloads::of(rendered);
    let mut tenants = tenants(layout, rendered, &namespaces);
    if tenants.is_empty() {
        notes.push(no_tenant());
    }
    for tenant in &mut tenants {
        tenant.org = org(rendered, &workloads, tenant, &mut notes);
    }
    sealed(layout, &mut tenants, &mut notes);
    let platform = namespaces.others(&tenants);
    let found = endpoints::endpoints(rendered, &workloads, &platform, &mut notes);
    let (endpoints, flows) = flows(rendered, &namespaces, &workloads, &tenants, found, &mut notes);
    let findings = Findings {
        stores: stores(rendered, &platform),
        repositories: repositories(layout, rendered),
        tenants,
        platform,
        endpoints,
        flows,
    };
    notes.sort();
    notes.dedup();
    Draft { contract_text: text::written(&findings), notes }
}

fn no_tenant() -> NotJudged {
    let reason = "no namespace looks like a tenant's, so that there is nothing to judge: none has a \
                  tenant's label, none is made in a folder of tenants or customers, and no two hold \
                  the same workloads. Name the tenants in partywall.yaml";
    NotJudged { subject: "tenants".to_string(), reason: reason.to_string(), location: None }
}
