//! The layout as first written down, `fixtures/layouts/first-draft`: each of its defects is
//! named with its line, and each that hides another can be taken out.

#[expect(dead_code, reason = "not every test needs all of it")]
mod render_support;

use std::path::{Path, PathBuf};

use partywall_core::contract::Contract;
use partywall_core::event::Defect;
use partywall_core::{Layout, Port};
use partywall_offline::defect::{self, FluxObject, Violation};
use partywall_offline::mend::{Mend, mend, mended};
use partywall_offline::{blame, load};
use partywall_tool::Tool;

const PATCH: &str = "kustomize build failed: replace operation does not apply: doc is missing path: /spec/values/ingress/hosts/0/host: missing value";
const ACCESS: &str = "cross-namespace references are not allowed: cannot access GitRepository flux-system/open-webui-public";
const TENANTS: [&str; 3] = ["customer-a", "customer-b", "soev-internal"];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/layouts/first-draft")
}

fn layout() -> Layout {
    load::working_tree(&folder()).expect("the first draft loads")
}

fn object(kind: &str, namespace: &str, name: &str, reason: &str, message: &str) -> FluxObject {
    FluxObject {
        kind: kind.to_string(),
        namespace: namespace.to_string(),
        name: name.to_string(),
        ready: false,
        reason: reason.to_string(),
        message: message.to_string(),
    }
}

/// What Flux says of the layout as it is.
fn unbuilt() -> Vec<FluxObject> {
    TENANTS
        .map(|tenant| object("Kustomization", "flux-system", tenant, "BuildFailed", PATCH))
        .to_vec()
}

/// What Flux says once the patch is out.
fn refused() -> Vec<FluxObject> {
    TENANTS
        .map(|tenant| object("HelmRelease", tenant, "open-webui", "AccessDenied", ACCESS))
        .to_vec()
}

/// `name file:line | the line`, one defect a line.
fn said(layout: &Layout, defects: &[Defect]) -> String {
    let one = |defect: &Defect| {
        let place = defect.location.as_ref().expect("the defect has a place");
        let line = layout.line(place).unwrap_or_default().trim();
        format!("{} {place} | {line}", defect.name)
    };
    defects.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// The layout after one defect is out, and after both are.
fn both_mends() -> (Layout, Layout, [Mend; 2]) {
    let start = layout();
    let first = defect::of_objects(&start, &unbuilt(), &[]);
    let without_patch = mend(&start, &first[0]).expect("the patch can be taken out");
    let built = mended(&start, &without_patch).expect("the mended layout loads");
    let second = defect::of_objects(&built, &refused(), &[]);
    let with_source = mend(&built, &second[0]).expect("the source can be put in place");
    let whole = mended(&built, &with_source).expect("the mended layout loads");
    (built, whole, [without_patch, with_source])
}

#[test]
fn the_two_defects_that_stop_flux_are_named() {
    let layout = layout();
    let mut defects = defect::of_objects(&layout, &unbuilt(), &[]);
    defects.extend(defect::of_objects(&layout, &refused(), &[]));
    insta::assert_snapshot!(said(&layout, &defects));
}

#[test]
fn the_two_defects_of_the_policies_are_named() {
    let layout = layout();
    let contract = Contract::load("partywall.yaml", &layout.files["partywall.yaml"])
        .expect("the contract loads");
    let denied = [("collector", Port::tcp(4317)), ("dns", Port::tcp(53))];
    let mut defects = Vec::new();
    for tenant in TENANTS {
        for (endpoint, port) in denied {
            let violation = Violation { tenant, namespace: tenant, endpoint, port };
            defects.push(defect::of_violation(&layout, &contract, &violation));
        }
    }
    insta::assert_snapshot!(said(&layout, &defects));
}

#[test]
fn one_key_for_all_tenants_is_blamed() {
    let layout = layout();
    let contract = Contract::load("partywall.yaml", &layout.files["partywall.yaml"])
        .expect("the contract loads");
    let blame = blame::secret(&layout, &contract.tenants[0]).expect("a line is to blame");
    assert_eq!(blame.location.file, "customers/customer-a/secrets.yaml");
    assert!(blame.because.contains("opens customers/customer-b/secrets.yaml"), "{}", blame.because);
}

#[test]
fn mending_moves_no_line_of_the_layout() {
    let (built, whole, mends) = both_mends();
    insta::assert_snapshot!(mends.map(|mend| mend.description).join("\n"));
    let start = layout();
    assert_eq!(start.files.keys().collect::<Vec<_>>(), whole.files.keys().collect::<Vec<_>>());
    for (file, text) in &start.files {
        let mut after = whole.files[file].lines();
        for line in text.lines() {
            let now = after.next().expect("no line is gone");
            let is_comment = now.trim_start().starts_with('#');
            assert!(now == line || is_comment, "{file}: `{line}` became `{now}`");
        }
    }
    // The defect that was behind is named on the line where it was written.
    let as_written = said(&start, &defect::of_objects(&start, &refused(), &[]));
    assert_eq!(as_written, said(&built, &defect::of_objects(&built, &refused(), &[])));
}

fn write(layout: &Layout, dir: &Path) {
    for (file, text) in &layout.files {
        let path = dir.join(file);
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
}

/// Kustomize itself says what our messages quote, and builds what we mended.
#[test]
fn kustomize_agrees() {
    let program = render_support::programs().kustomize;
    let build = |layout: &Layout, tenant: &str| {
        let dir = tempfile::tempdir().expect("a folder");
        write(layout, dir.path());
        let tool = Tool::new(&program).args(["build", "--load-restrictor", "LoadRestrictionsNone"]);
        tool.arg(format!("customers/{tenant}")).dir(dir.path()).run_unchecked().expect("it runs")
    };
    let (built, whole, _) = both_mends();
    for tenant in TENANTS {
        let failed = build(&layout(), tenant);
        assert!(!failed.success());
        let message = PATCH.trim_start_matches("kustomize build failed: ");
        assert!(String::from_utf8_lossy(&failed.stderr).contains(message));
        let text = build(&built, tenant).stdout_text().to_string();
        assert!(text.contains("kind: HelmRelease") && text.contains("namespace: flux-system"));
        let text = build(&whole, tenant).stdout_text().to_string();
        let copied = format!("name: open-webui-public\n  namespace: {tenant}");
        assert!(text.contains(&copied) && !text.contains("flux-system"), "{text}");
    }
}
