//! What reaches an account: bindings and the roles that they name.

use partywall_core::attempt::{DEFAULT_ACCOUNT, Identity};
use serde_json::Value;

use super::builtin::{BuiltIn, built_in, is_of_kubernetes};
use super::request::{Permission, Request};
use super::rule::Rule;
use crate::render::{Object, Rendered};

/// The group of roles and bindings.
const GROUP: &str = "rbac.authorization.k8s.io/";

/// Accounts of Flux that its own manifests bind to cluster-admin.
const CONTROLLERS: [&str; 2] = ["kustomize-controller", "helm-controller"];

/// The rights that the files give.
pub(crate) struct Rights<'a> {
    rendered: &'a Rendered,
    bindings: Vec<&'a Object>,
}

/// The rules of one binding.
struct Bound {
    rules: Vec<Rule>,
    /// What else it may hold.
    unknown: Option<Doubt>,
}

enum Doubt {
    /// A role that no file has.
    NoFile(String),
    /// A role that others add to.
    Aggregated(String),
}

impl<'a> Rights<'a> {
    pub(crate) fn new(rendered: &'a Rendered) -> Self {
        let is_binding = |object: &&Object| {
            matches!(object.kind(), "RoleBinding" | "ClusterRoleBinding")
                && object.api_version().starts_with(GROUP)
        };
        Self { rendered, bindings: rendered.objects.iter().filter(is_binding).collect() }
    }

    /// Whether an account may do something.
    pub(crate) fn may(&self, identity: &Identity, request: &Request) -> Permission {
        let mut doubt = None;
        for bound in self.bound(identity, &request.namespace) {
            if let Some(rule) = bound.rules.iter().find(|rule| rule.allows(request)) {
                let place = rule.place.clone();
                return place.map_or_else(
                    || Permission::Unknown("a role of the cluster's own".to_string()),
                    |place| Permission::Allowed { place },
                );
            }
            doubt = doubt.or(match bound.unknown {
                Some(Doubt::NoFile(why)) => Some(why),
                Some(Doubt::Aggregated(why)) if !is_of_kubernetes(request) => Some(why),
                _ => None,
            });
        }
        let doubt = doubt.or_else(|| self.stranger(identity));
        doubt.map_or(Permission::Denied, Permission::Unknown)
    }

    /// Every rule that an account has in a namespace.
    pub(crate) fn rules(&self, identity: &Identity, namespace: &str) -> Vec<Rule> {
        self.bound(identity, namespace).into_iter().flat_map(|bound| bound.rules).collect()
    }

    /// The rules of a role by its reference.
    pub(crate) fn role_rules(&self, reference: &Value, namespace: &str) -> Option<Vec<Rule>> {
        let bound = self.role(reference, namespace, None);
        bound.unknown.is_none().then_some(bound.rules)
    }

    fn bound(&self, identity: &Identity, namespace: &str) -> Vec<Bound> {
        let reaches = |binding: &&&Object| match binding.kind() {
            "RoleBinding" => !namespace.is_empty() && binding.namespace() == namespace,
            _ => true,
        };
        let bindings = self.bindings.iter().filter(reaches);
        let of_account = bindings.filter(|binding| names(binding, identity));
        let written = of_account.map(|binding| {
            let reference = &binding.value["roleRef"];
            self.role(reference, binding.namespace(), Some(binding))
        });
        written.chain(self.of_flux(identity)).collect()
    }

    /// What Flux's own manifests bind its controllers to, where the layout does not hold them: an
    /// object that names such an account acts without any bound.
    fn of_flux(&self, identity: &Identity) -> Option<Bound> {
        let is_controller = CONTROLLERS.contains(&identity.name.as_str());
        // In a namespace that the layout makes, an account of that name is somebody else's.
        let is_written =
            self.rendered.find("ServiceAccount", &identity.namespace, &identity.name).is_some()
                || self.rendered.find("Namespace", "", &identity.namespace).is_some();
        let mut objects = self.rendered.objects.iter();
        let user = objects.find(|object| {
            object.api_version().contains(".toolkit.fluxcd.io/")
                && object.namespace() == identity.namespace
                && object.text(&["spec", "serviceAccountName"]) == Some(&identity.name)
        });
        let user = user.filter(|_| is_controller && !is_written)?;
        let Some(BuiltIn::Rules(rules)) = built_in("cluster-admin") else { return None };
        let place = self.rendered.locate(user, &["spec", "serviceAccountName"]);
        let rules = rules.into_iter().map(|rule| Rule { place: Some(place.clone()), ..rule });
        Some(Bound { rules: rules.collect(), unknown: None })
    }

    fn role(&self, reference: &Value, namespace: &str, binding: Option<&Object>) -> Bound {
        let name = reference["name"].as_str().unwrap_or_default();
        let kind = reference["kind"].as_str().unwrap_or_default();
        let namespace = if kind == "Role" { namespace } else { "" };
        if let Some(role) = self.rendered.find(kind, namespace, name) {
            return self.written(role);
        }
        let at = |rule: Rule| {
            let place = binding.map(|binding| self.rendered.locate(binding, &["roleRef"]));
            Rule { place, ..rule }
        };
        let of_all = |rules: Vec<Rule>| rules.into_iter().map(at).collect();
        match built_in(name).filter(|_| kind == "ClusterRole") {
            Some(BuiltIn::Rules(rules)) => Bound { rules: of_all(rules), unknown: None },
            Some(BuiltIn::Aggregated(rules)) => {
                let why = format!("what others add to the ClusterRole `{name}` is in no file");
                Bound { rules: of_all(rules), unknown: Some(Doubt::Aggregated(why)) }
            }
            None => {
                let why = format!("the {kind} `{name}` is in no file of the layout");
                Bound { rules: Vec::new(), unknown: Some(Doubt::NoFile(why)) }
            }
        }
    }

    fn written(&self, role: &Object) -> Bound {
        let rules = role.at(&["rules"]).and_then(Value::as_array).into_iter().flatten();
        let rules = rules.enumerate().map(|(index, rule)| {
            let place = self.rendered.locate(role, &["rules", &index.to_string()]);
            Rule::read(rule, Some(place))
        });
        let unknown = role.at(&["aggregationRule"]).map(|_| {
            Doubt::Aggregated(format!("what others add to the ClusterRole `{}`", role.name()))
        });
        Bound { rules: rules.collect(), unknown }
    }

    /// Why nothing is known of an account that no file makes. Every namespace has a `default`.
    fn stranger(&self, identity: &Identity) -> Option<String> {
        let is_written =
            self.rendered.find("ServiceAccount", &identity.namespace, &identity.name).is_some();
        let is_made = self.rendered.find("Namespace", "", &identity.namespace).is_some();
        if is_written || is_made || identity.name == DEFAULT_ACCOUNT {
            return None;
        }
        Some(format!("the service account {identity} is in no file of the layout"))
    }
}

/// Whether a binding names an account, or a group that it is in.
fn names(binding: &Object, identity: &Identity) -> bool {
    let subjects = binding.at(&["subjects"]).and_then(Value::as_array).into_iter().flatten();
    let mut subjects = subjects.map(|subject| {
        let text = |key: &str| subject[key].as_str().unwrap_or_default();
        (text("kind"), text("namespace"), text("name"))
    });
    subjects.any(|(kind, namespace, name)| match kind {
        "ServiceAccount" => namespace == identity.namespace && name == identity.name,
        "User" => name == identity.user(),
        "Group" => identity.groups().iter().any(|group| group == name),
        _ => false,
    })
}
