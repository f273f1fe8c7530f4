//! `partywall.yaml`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use partywall_core::Layout;
use partywall_core::contract::{Contract, check};

const NAMESPACES: &str = "kind: Namespace\nmetadata: {name: customer-a}\n---\nkind: Namespace\nmetadata: {name: shared-services}\n";

fuzz_target!(|text: &str| {
    if let Ok(contract) = Contract::load("partywall.yaml", text) {
        let files = [("namespaces.yaml".to_string(), NAMESPACES.to_string())].into();
        let errors = check("partywall.yaml", &contract, &Layout::lenient(files));
        errors.iter().for_each(|error| assert!(!error.to_string().is_empty()));
        for tenant in &contract.tenants {
            let _ = (
                contract.allowed_endpoints(&tenant.name),
                contract.allows_same_tenant(&tenant.name),
            );
        }
    }
});
