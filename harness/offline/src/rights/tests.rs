use partywall_core::attempt::Identity;
use rstest::rstest;
use serde_json::{Value, json};

use super::account::Rights;
use super::admission::{Admission, admission};
use super::applies::findings;
use super::escalation;
use super::pod_security::{Admitted, admits};
use super::request::{Permission, Request};
use crate::render::Rendered;
use crate::wiring::samples::{layout, rendered};

const ROLES: &str = "\
apiVersion: v1
kind: Namespace
metadata:
  name: a
  labels: {pod-security.kubernetes.io/enforce: restricted, purpose: tenant}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: folder, namespace: a}
rules:
  - apiGroups: ['']
    resources: [configmaps, services]
    verbs: [get, create]
  - apiGroups: [networking.k8s.io]
    resources: ['*']
    verbs: [create]
  - apiGroups: ['']
    resources: [secrets]
    resourceNames: [mine]
    verbs: ['*']
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: folder, namespace: a}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: folder}
subjects: [{kind: ServiceAccount, name: tenant, namespace: f}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: editors, namespace: a}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: 'system:serviceaccounts:editors'}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: strangers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: made-elsewhere}
subjects: [{kind: User, name: 'system:serviceaccount:a:odd'}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: root}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: default, namespace: root}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: tenant, namespace: f}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: x, namespace: editors}
";

fn roles() -> Rendered {
    rendered(&layout(&[("roles.yaml", ROLES)]), &[])
}

fn object(api_version: &str, kind: &str, namespace: &str) -> Value {
    json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {"name": "x", "namespace": namespace},
    })
}

fn word(permission: &Permission) -> &'static str {
    match permission {
        Permission::Allowed { .. } => "allowed",
        Permission::Denied => "denied",
        Permission::Unknown(_) => "unknown",
    }
}

#[rstest]
#[case::by_rule("f/tenant", "v1", "ConfigMap", "a", "allowed")]
#[case::by_wildcard("f/tenant", "networking.k8s.io/v1", "Ingress", "a", "allowed")]
#[case::other_kind("f/tenant", "apps/v1", "Deployment", "a", "denied")]
#[case::other_namespace("f/tenant", "v1", "ConfigMap", "b", "denied")]
#[case::what_is_made_has_no_name("f/tenant", "v1", "Secret", "a", "denied")]
#[case::nobody("a/default", "v1", "ConfigMap", "a", "denied")]
#[case::by_group("editors/x", "networking.k8s.io/v1", "NetworkPolicy", "a", "allowed")]
#[case::not_in_edit("editors/x", "discovery.k8s.io/v1", "EndpointSlice", "a", "denied")]
#[case::aggregated("editors/x", "example.com/v1", "Widget", "a", "unknown")]
#[case::role_of_elsewhere("a/odd", "v1", "ConfigMap", "a", "unknown")]
#[case::account_of_elsewhere("g/stranger", "v1", "ConfigMap", "a", "unknown")]
#[case::cluster_admin("root/default", "example.com/v1", "Widget", "", "allowed")]
fn answers_what_an_account_may_do(
    #[case] account: &str,
    #[case] api_version: &str,
    #[case] kind: &str,
    #[case] namespace: &str,
    #[case] expected: &str,
) {
    let rendered = roles();
    let (of, name) = account.split_once('/').unwrap();
    let request = Request::to_apply(&rendered, &object(api_version, kind, namespace));
    let told = Rights::new(&rendered).may(&Identity::new(of, name), &request);
    assert_eq!(word(&told), expected, "{told:?}");
}

#[test]
fn what_is_allowed_names_the_line_of_its_rule() {
    let rendered = roles();
    let request = Request::to_apply(&rendered, &object("networking.k8s.io/v1", "Ingress", "a"));
    let told = Rights::new(&rendered).may(&Identity::new("f", "tenant"), &request);
    let Permission::Allowed { place } = told else { panic!("{told:?}") };
    assert_eq!(place.to_string(), "roles.yaml:14");
}

#[rstest]
#[case::what_it_has(json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]), true)]
#[case::more_than_it_has(json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]), false)]
fn nobody_gives_what_they_have_not(#[case] rules: Value, #[case] is_allowed: bool) {
    let rendered = roles();
    let mut role = object("rbac.authorization.k8s.io/v1", "Role", "a");
    role["rules"] = rules;
    let told = escalation::refused(&Rights::new(&rendered), &Identity::new("f", "tenant"), &role);
    assert_eq!(told.is_ok(), is_allowed);
}

fn pod(namespace: &str, extra: Value) -> Value {
    let mut spec = json!({"containers": [{
        "ports": [{"containerPort": 80}],
        "securityContext": {
            "allowPrivilegeEscalation": false, "runAsNonRoot": true,
            "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
        },
    }]});
    for (key, value) in extra.as_object().unwrap() {
        spec[key] = value.clone();
    }
    let mut pod = object("v1", "Pod", namespace);
    pod["spec"] = spec;
    pod
}

#[rstest]
#[case::harmless(json!({}), "")]
#[case::host_network(json!({"hostNetwork": true}), "hostNetwork=true, hostPort")]
#[case::host_processes(json!({"hostPID": true}), "hostPID=true")]
#[case::host_files(json!({"volumes": [{"hostPath": {"path": "/"}}]}), "hostPath volumes")]
#[case::nothing_said(json!({"containers": [{}]}),
    "allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile")]
fn pod_security_refuses(#[case] extra: Value, #[case] expected: &str) {
    match admits(&roles(), "a", &pod("a", extra)) {
        Admitted::Yes => assert_eq!(expected, ""),
        Admitted::No { place, violations, .. } => {
            assert_eq!(violations.join(", "), expected);
            assert_eq!(place.to_string(), "roles.yaml:5");
        }
        Admitted::Unknown(why) => panic!("{why}"),
    }
}

#[test]
fn a_namespace_that_no_file_makes_has_labels_that_nobody_knows() {
    assert!(matches!(admits(&roles(), "z", &pod("z", json!({}))), Admitted::Unknown(_)));
}

const POLICY: &str = "\
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: p}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [services]}]
  CONDITION
  validations:
    - expression: \"EXPRESSION\"
      message: not so
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: p}
spec:
  policyName: p
  validationActions: [ACTION]
  matchResources: {namespaceSelector: {matchLabels: {purpose: PURPOSE}}}
";

const NO_CLAIM: &str = "!has(object.spec.externalIPs)";
const OF_ACCOUNTS: &str = "matchConditions: [{name: x, expression: \"request.userInfo.username.startsWith('system:serviceaccount:')\"}]";
const OF_PEOPLE: &str =
    "matchConditions: [{name: x, expression: \"request.userInfo.username == 'kubernetes-admin'\"}]";

#[rstest]
#[case::refused("", NO_CLAIM, "Deny", "tenant", "refused")]
#[case::refused_to_accounts(OF_ACCOUNTS, NO_CLAIM, "Deny", "tenant", "refused")]
#[case::for_others(OF_PEOPLE, NO_CLAIM, "Deny", "tenant", "admitted")]
#[case::only_audited("", NO_CLAIM, "Audit", "tenant", "admitted")]
#[case::of_other_namespaces("", NO_CLAIM, "Deny", "platform", "admitted")]
#[case::satisfied("", "has(object.spec)", "Deny", "tenant", "admitted")]
#[case::by_means_not_known(
    "",
    "authorizer.path('/x').check('get').allowed()",
    "Deny",
    "tenant",
    "unknown"
)]
#[case::by_parameters(
    "paramKind: {apiVersion: v1, kind: ConfigMap}",
    NO_CLAIM,
    "Deny",
    "tenant",
    "unknown"
)]
fn admission_policies_are_asked(
    #[case] condition: &str,
    #[case] expression: &str,
    #[case] action: &str,
    #[case] purpose: &str,
    #[case] expected: &str,
) {
    let policy = POLICY
        .replace("CONDITION", condition)
        .replace("EXPRESSION", expression)
        .replace("ACTION", action)
        .replace("PURPOSE", purpose);
    let rendered = rendered(&layout(&[("roles.yaml", &format!("{ROLES}{policy}"))]), &[]);
    let mut service = object("v1", "Service", "a");
    service["spec"] = json!({"externalIPs": ["10.0.0.1"]});
    let request = Request::to_apply(&rendered, &service);
    let told = admission(&rendered, &Identity::new("f", "tenant"), &request, &service);
    let word = match &told {
        Admission::Admitted => "admitted",
        Admission::Refused { .. } => "refused",
        Admission::Unknown(_) => "unknown",
    };
    assert_eq!(word, expected, "{told:?}");
}

#[test]
fn a_webhook_is_not_guessed() {
    let webhook = "---\napiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: x}\n";
    let rendered = rendered(&layout(&[("roles.yaml", &format!("{ROLES}{webhook}"))]), &[]);
    let service = object("v1", "Service", "a");
    let request = Request::to_apply(&rendered, &service);
    let told = admission(&rendered, &Identity::new("f", "tenant"), &request, &service);
    assert_eq!(
        told,
        Admission::Unknown("what ClusterPolicy x admits is not known here".to_string())
    );
}

const APPLIED: &str = "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: f}
spec: {path: ./apps, serviceAccountName: tenant}
";

#[test]
fn flux_s_own_account_may_do_everything() {
    let flux = APPLIED.replace("tenant", "kustomize-controller");
    let rendered =
        rendered(&layout(&[("flux.yaml", &flux.replace("ServiceAccount", "Other"))]), &[]);
    let request = Request::to_apply(&rendered, &object("example.com/v1", "Widget", "a"));
    let rights = Rights::new(&rendered);
    let told = rights.may(&Identity::new("f", "kustomize-controller"), &request);
    let Permission::Allowed { place } = told else { panic!("{told:?}") };
    assert_eq!(place.to_string(), "flux.yaml:4");
    // Of another namespace it is nobody's.
    assert_eq!(word(&rights.may(&Identity::new("a", "kustomize-controller"), &request)), "unknown");
}

#[rstest]
#[case::may("ConfigMap", "v1", None)]
#[case::may_not("Deployment", "apps/v1", Some("flux.yaml:4"))]
#[case::kind_of_an_unknown_plural("Widget", "example.com/v1", None)]
fn an_account_that_may_not_apply_is_a_defect(
    #[case] kind: &str,
    #[case] api_version: &str,
    #[case] expected: Option<&str>,
) {
    let app =
        format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: x, namespace: a}}\n");
    let files = [("roles.yaml", ROLES), ("flux.yaml", APPLIED), ("apps/x.yaml", &app)];
    let rendered = rendered(&layout(&files), &[("apps/x.yaml", "Kustomization f/apps")]);
    let found = findings(&rendered);
    let places = found.iter().filter_map(|one| one.location.as_ref()).map(ToString::to_string);
    assert_eq!(places.collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>(), "{found:?}");
    if let Some(defect) = found.first() {
        assert_eq!(
            defect.summary,
            "Kustomization f/apps acts as f/tenant, which may not create deployments.apps \
             (Deployment a/x); give the account a Role with it, or take the object out"
        );
    }
}
