//! The contract against the layout: a namespace, service or tenant of the layout that the
//! contract does not classify is an error, so that a new tenant cannot be forgotten.

use std::collections::BTreeSet;

use thiserror::Error;

use super::model::{Contract, FlowTarget, is_age};
use crate::layout::Layout;
use crate::source::SourceLocation;
use crate::verdict::ProofLevel;

/// Namespaces every cluster has; a layout need not create them.
const BUILT_IN: [&str; 5] =
    ["default", "flux-system", "kube-node-lease", "kube-public", "kube-system"];

/// What the contract and the layout disagree on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ContractError {
    /// The contract names a namespace that the layout does not create.
    #[error(
        "{file}: {subject} names namespace `{namespace}`, which the layout does not create\nhint: add the Namespace, or correct the name"
    )]
    MissingNamespace {
        /// The contract's file.
        file: String,
        /// Which part of the contract.
        subject: String,
        /// The name.
        namespace: String,
    },
    /// The layout creates a namespace that is neither a tenant's nor the platform's.
    #[error(
        "{location}: namespace `{namespace}` is in no tenant and not in `platform` of the contract\nhint: add it to a tenant or to `platform` in partywall.yaml"
    )]
    Unclassified {
        /// Where the layout creates it.
        location: SourceLocation,
        /// The name.
        namespace: String,
    },
    /// Two owners claim one namespace.
    #[error(
        "{file}: namespace `{namespace}` belongs to more than one owner\nhint: a namespace is one tenant's or the platform's"
    )]
    TwoOwners {
        /// The contract's file.
        file: String,
        /// The name.
        namespace: String,
    },
    /// A flow names an endpoint or a tenant that is not declared.
    #[error("{file}: a flow names `{name}`, which is no {what} of the contract")]
    UnknownName {
        /// The contract's file.
        file: String,
        /// The name.
        name: String,
        /// `endpoint` or `tenant`.
        what: &'static str,
    },
    /// A part of the contract says nothing, so that nothing would be judged by it.
    #[error("{file}: {subject}: {problem}")]
    Empty {
        /// The contract's file.
        file: String,
        /// Which part.
        subject: String,
        /// What it lacks.
        problem: &'static str,
    },
    /// Two tenants share an organisation: each would see the other's telemetry.
    #[error("{file}: tenants `{one}` and `{other}` share the organisation `{org}`")]
    SharedOrg {
        /// The contract's file.
        file: String,
        /// A tenant.
        one: String,
        /// Another.
        other: String,
        /// Their organisation.
        org: String,
    },
    /// An encrypted file has nobody who may open it, or does not exist.
    #[error("{file}: tenant `{tenant}`: {problem}")]
    Secrets {
        /// The contract's file.
        file: String,
        /// The tenant.
        tenant: String,
        /// What is wrong.
        problem: String,
    },
}

/// Everything on which contract and layout disagree; empty means they agree.
pub fn check(file: &str, contract: &Contract, layout: &Layout) -> Vec<ContractError> {
    let mut errors = namespaces(file, contract, layout);
    errors.extend(names(file, contract));
    errors.extend(emptiness(file, contract));
    errors.extend(secrets(file, contract, layout));
    errors
}

fn namespaces(file: &str, contract: &Contract, layout: &Layout) -> Vec<ContractError> {
    let created = layout.namespaces();
    let mut errors = Vec::new();
    let mut owned = BTreeSet::new();
    let tenants = contract.tenants.iter().flat_map(|tenant| {
        tenant.namespaces.iter().map(move |name| (format!("tenant `{}`", tenant.name), name))
    });
    let platform = contract.platform.iter().map(|name| ("`platform`".to_string(), name));
    for (subject, namespace) in tenants.chain(platform) {
        if !owned.insert(namespace.clone()) {
            errors.push(ContractError::TwoOwners {
                file: file.to_string(),
                namespace: namespace.clone(),
            });
        }
        if !created.contains_key(namespace) && !BUILT_IN.contains(&namespace.as_str()) {
            errors.push(ContractError::MissingNamespace {
                file: file.to_string(),
                subject,
                namespace: namespace.clone(),
            });
        }
    }
    for (namespace, location) in created {
        if !owned.contains(&namespace) {
            errors.push(ContractError::Unclassified { location, namespace });
        }
    }
    errors
}

fn names(file: &str, contract: &Contract) -> Vec<ContractError> {
    let unknown = |name: &str, what| ContractError::UnknownName {
        file: file.to_string(),
        name: name.to_string(),
        what,
    };
    let mut errors = Vec::new();
    for flow in &contract.flows {
        if flow.from != "each-tenant" && contract.tenant(&flow.from).is_none() {
            errors.push(unknown(&flow.from, "tenant"));
        }
        if let FlowTarget::Endpoints(names) = &flow.to {
            let missing = names.iter().filter(|name| !contract.endpoints.contains_key(*name));
            errors.extend(missing.map(|name| unknown(name, "endpoint")));
        }
    }
    for endpoint in contract.endpoints.values() {
        let Some(namespace) = &endpoint.namespace else { continue };
        if !contract.platform.contains(namespace) {
            errors.push(ContractError::MissingNamespace {
                file: file.to_string(),
                subject: "an endpoint outside `platform`".to_string(),
                namespace: namespace.clone(),
            });
        }
    }
    errors
}

fn emptiness(file: &str, contract: &Contract) -> Vec<ContractError> {
    let mut errors = Vec::new();
    let mut empty = |subject: String, problem| {
        errors.push(ContractError::Empty { file: file.to_string(), subject, problem });
    };
    if contract.tenants.is_empty() {
        empty("`tenants`".to_string(), "there is none, so nothing would be judged");
    }
    for tenant in contract.tenants.iter().filter(|tenant| tenant.namespaces.is_empty()) {
        empty(format!("tenant `{}`", tenant.name), "it has no namespace");
    }
    for (name, endpoint) in &contract.endpoints {
        let subject = format!("endpoint `{name}`");
        let has_pods = endpoint.namespace.is_some() && !endpoint.pods.is_empty();
        if endpoint.entity.is_some() == has_pods {
            empty(subject.clone(), "it needs either `in` and `pods`, or `entity`");
        }
        if endpoint.proof == ProofLevel::Computed {
            empty(subject.clone(), "`proof` is `receipt` or `control`");
        }
        if endpoint.ports.is_empty() {
            empty(subject, "it has no port");
        }
    }
    for (index, one) in contract.tenants.iter().enumerate() {
        for other in contract.tenants[index + 1..].iter().filter(|other| other.org == one.org) {
            errors.push(ContractError::SharedOrg {
                file: file.to_string(),
                one: one.name.clone(),
                other: other.name.clone(),
                org: one.org.clone(),
            });
        }
    }
    errors
}

fn secrets(file: &str, contract: &Contract, layout: &Layout) -> Vec<ContractError> {
    let mut errors = Vec::new();
    for tenant in &contract.tenants {
        let Some(secrets) = &tenant.secrets else { continue };
        let mut problems = Vec::new();
        if secrets.recipients.is_empty() {
            problems.push("`recipients` is empty: nobody could decrypt its files".to_string());
        }
        if secrets.key_secret.is_empty() && secrets.recipients.iter().any(|one| is_age(one)) {
            let problem = "`keySecret` is missing: which Secret has the private age key?";
            problems.push(problem.to_string());
        }
        let mut recovery = contract.recovery_recipients.iter();
        if let Some(key) = recovery.find(|key| secrets.recipients.contains(key)) {
            problems.push(format!(
                "`{key}` is a recovery recipient, whose private half no cluster has, and a \
                 tenant's `recipients`, whose private half is in its key Secret"
            ));
        }
        for path in &secrets.files {
            if !layout.files.contains_key(path) {
                problems.push(format!("the layout has no file `{path}`"));
            }
        }
        errors.extend(problems.into_iter().map(|problem| ContractError::Secrets {
            file: file.to_string(),
            tenant: tenant.name.clone(),
            problem,
        }));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTRACT: &str = "\
apiVersion: partywall.dev/v1alpha1
kind: Contract
tenants:
  - {name: a, namespaces: [a], org: a}
  - {name: b, namespaces: [b, missing], org: b}
platform: [kube-system, shared]
endpoints:
  gateway: {in: shared, pods: {app: gateway}, ports: [8000/TCP]}
flows:
  - {from: each-tenant, to: same-tenant}
  - {from: each-tenant, to: [gateway, nowhere]}
";

    fn layout() -> Layout {
        let namespace = |name: &str| format!("kind: Namespace\nmetadata: {{name: {name}}}\n");
        let files = ["a", "b", "shared", "forgotten"]
            .map(|name| (format!("{name}/namespace.yaml"), namespace(name)));
        Layout::new(files.into_iter().collect()).unwrap()
    }

    #[test]
    fn names_what_is_missing_and_what_is_forgotten() {
        let contract = Contract::load("partywall.yaml", CONTRACT).unwrap();
        let errors = check("partywall.yaml", &contract, &layout());
        insta::assert_snapshot!(
            errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
        );
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line() {
        let text = format!("{CONTRACT}flow: []\n");
        let error = Contract::load("partywall.yaml", &text).unwrap_err();
        assert_eq!(error.location.line, 12, "{error}");
    }

    #[test]
    fn what_is_not_listed_is_denied() {
        let contract = Contract::load("partywall.yaml", CONTRACT).unwrap();
        let labels = [("app".to_string(), "gateway".to_string())].into();
        assert!(contract.allows("a", "shared", &labels, crate::Port::tcp(8000)));
        assert!(!contract.allows("a", "shared", &labels, crate::Port::udp(8000)));
        assert!(!contract.allows("a", "shared", &labels, crate::Port::tcp(8001)));
        assert!(!contract.allows("a", "other", &labels, crate::Port::tcp(8000)));
    }
}
