//! The reference layout of `fixtures/deployments`: nothing in it is to blame, and a change that
//! breaks a promise is blamed on its line.

use std::collections::BTreeMap;
use std::path::PathBuf;

use partywall_core::contract::{Contract, Tenant, check};
use partywall_core::{Layout, Port};
use partywall_offline::defect::{self, Violation};
use partywall_offline::{blame, load, scan, sops};
use rstest::rstest;

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

fn layout() -> Layout {
    load::working_tree(&fixtures().join("deployments")).expect("the reference layout loads")
}

fn contract(layout: &Layout) -> Contract {
    Contract::load("partywall.yaml", &layout.files["partywall.yaml"]).expect("the contract loads")
}

fn keys(contract: &Contract) -> BTreeMap<String, String> {
    let read = |tenant: &Tenant| {
        let path = fixtures().join(format!("keys/TEST-ONLY-{}.agekey", tenant.name));
        (tenant.name.clone(), std::fs::read_to_string(path).expect("the test key is committed"))
    };
    contract.tenants.iter().map(read).collect()
}

/// The layout with one text changed in one file.
fn changed(file: &str, from: &str, to: &str) -> Layout {
    let mut files = layout().files;
    let text = files.get_mut(file).expect("the layout has the file");
    assert!(text.contains(from), "the case is out of date");
    *text = text.replacen(from, to, 1);
    Layout::new(files).expect("the changed layout loads")
}

#[test]
fn contract_and_layout_agree() {
    let layout = layout();
    assert_eq!(check("partywall.yaml", &contract(&layout), &layout), []);
}

#[test]
fn nothing_secret_is_readable() {
    assert_eq!(scan::readable_secrets(&layout()), []);
}

#[test]
fn each_file_opens_with_its_own_key_only() {
    let layout = layout();
    let contract = contract(&layout);
    let keys = keys(&contract);
    for tenant in &contract.tenants {
        let files = &tenant.secrets.as_ref().expect("every tenant has secrets").files;
        for opening in sops::openings(&layout, files, &keys) {
            assert_eq!(opening.opened_by, std::slice::from_ref(&tenant.name));
            assert_eq!(opening.refused.len(), contract.tenants.len() - 1);
            assert_eq!(opening.readable, []);
            assert!(opening.sealed > 0);
        }
    }
}

#[test]
fn no_line_is_to_blame() {
    let layout = layout();
    let contract = contract(&layout);
    for tenant in &contract.tenants {
        let own = &tenant.namespaces[0];
        for name in contract.allowed_endpoints(&tenant.name) {
            for port in &contract.endpoints[name].ports {
                let blame =
                    blame::missing_egress(&layout, &contract, &tenant.name, own, *port, name);
                assert_eq!(blame, None, "{own} to {name} {port}");
            }
        }
        for other in contract.tenants.iter().filter(|other| other.name != tenant.name) {
            let port = Port::tcp(5432);
            assert_eq!(blame::open_wall(&layout, own, &other.namespaces[0], port), None);
        }
        assert_eq!(blame::secret(&layout, tenant), None);
        let org = blame::org(&layout, tenant).expect("the tenant's org is written");
        assert_eq!(org.location.file, format!("customers/{}/values.yaml", tenant.name));
    }
}

const WALLS: &str = "platform/tenants/customer-a/network-policies.yaml";

#[rstest]
#[case::telemetry(
    "        - port: 14317\n          protocol: TCP\n",
    "",
    "collector-customer-a",
    Port::tcp(14317)
)]
#[case::dns("        - port: 53\n          protocol: TCP\n", "", "dns", Port::tcp(53))]
#[case::gateway("app: gateway", "app: gate", "gateway", Port::tcp(8000))]
#[case::by_workload("app: gateway", "app: gate", "shared-services/gateway", Port::tcp(8000))]
fn a_missing_port_is_blamed_on_its_rule(
    #[case] from: &str,
    #[case] to: &str,
    #[case] endpoint: &str,
    #[case] port: Port,
) {
    let layout = changed(WALLS, from, to);
    let contract = contract(&layout);
    let blame =
        blame::missing_egress(&layout, &contract, "customer-a", "customer-a", port, endpoint)
            .expect("a line is to blame");
    assert_eq!(blame.location.file, WALLS);
    insta::assert_snapshot!(
        format!("missing_{}_{}", endpoint.replace('/', "_"), port.number),
        format!("{} | {}", layout.line(&blame.location).unwrap_or_default(), blame.because)
    );
}

#[test]
fn a_swapped_org_is_blamed_on_its_line() {
    let file = "customers/customer-a/values.yaml";
    let layout = changed(file, "tenantId: customer-a", "tenantId: customer-b");
    let contract = contract(&layout);
    let blame = blame::org(&layout, &contract.tenants[0]).expect("a line is to blame");
    let line = layout.line(&blame.location).unwrap_or_default();
    assert_eq!(line.trim(), "tenantId: customer-b");
}

#[test]
fn a_tenant_without_policies_is_blamed_on_its_namespace() {
    let mut files = layout().files;
    files.insert(WALLS.to_string(), String::new());
    let layout = Layout::new(files).expect("the changed layout loads");
    let blame = blame::open_wall(&layout, "customer-a", "partywall-open", Port::tcp(80))
        .expect("a line is to blame");
    assert_eq!(blame.location.file, "platform/tenants/customer-a/namespace.yaml");
}

const GATEWAY: &str = "    - to:
        - namespaceSelector:
            matchLabels:
              purpose: shared-services
          podSelector:
            matchLabels:
              app: gateway
      ports:
        - port: 8000
          protocol: TCP
";

#[rstest]
#[case::telemetry(
    "        - port: 14317\n          protocol: TCP\n",
    "collector-customer-a",
    Port::tcp(14317)
)]
#[case::dns_over_tcp("        - port: 53\n          protocol: TCP\n", "dns", Port::tcp(53))]
#[case::dns("        - port: 53\n          protocol: UDP\n", "dns", Port::udp(53))]
#[case::other(GATEWAY, "gateway", Port::tcp(8000))]
#[case::unexplained("", "gateway", Port::tcp(8000))]
fn a_denied_flow_is_a_named_defect(#[case] cut: &str, #[case] endpoint: &str, #[case] port: Port) {
    let layout = changed(WALLS, cut, "");
    let contract = contract(&layout);
    let (tenant, namespace) = ("customer-a", "customer-a");
    let violation = Violation { tenant, namespace, endpoint, port };
    let found = defect::of_violation(&layout, &contract, &violation);
    let place = found.location.map_or("nowhere".to_string(), |place| place.file);
    insta::assert_snapshot!(
        format!("defect_{}_{}", found.name, place == "nowhere"),
        format!("{}\n{}\n{}\n{place}", found.summary, found.object, found.message)
    );
}
