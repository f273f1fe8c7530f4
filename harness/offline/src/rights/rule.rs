//! One rule of a role.

use partywall_core::source::SourceLocation;
use serde_json::Value;

use super::request::Request;

const ANY: &str = "*";

/// Verbs on resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) groups: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) names: Vec<String>,
    pub(crate) verbs: Vec<String>,
    pub(crate) place: Option<SourceLocation>,
}

impl Rule {
    /// A rule as it is written.
    pub(crate) fn read(value: &Value, place: Option<SourceLocation>) -> Self {
        let texts = |key: &str| {
            let items = value[key].as_array().into_iter().flatten();
            items.filter_map(|item| item.as_str().map(str::to_string)).collect()
        };
        Self {
            groups: texts("apiGroups"),
            resources: texts("resources"),
            names: texts("resourceNames"),
            verbs: texts("verbs"),
            place,
        }
    }

    /// Whether it allows a request.
    pub(crate) fn allows(&self, request: &Request) -> bool {
        let has =
            |list: &[String], wanted: &str| list.iter().any(|one| one == ANY || one == wanted);
        // A rule with names is for those alone; what is made has no name yet.
        let is_named = self.names.is_empty()
            || (!request.name.is_empty() && self.names.contains(&request.name));
        is_named
            && has(&self.verbs, request.verb)
            && has(&self.groups, &request.resource.group)
            && has(&self.resources, &request.resource.plural)
    }

    /// Whether it holds everything that another one holds.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let all = |mine: &[String], theirs: &[String]| {
            mine.iter().any(|one| one == ANY) || theirs.iter().all(|one| mine.contains(one))
        };
        let names = self.names.is_empty()
            || (!other.names.is_empty() && other.names.iter().all(|one| self.names.contains(one)));
        names
            && all(&self.verbs, &other.verbs)
            && all(&self.groups, &other.groups)
            && all(&self.resources, &other.resources)
    }
}
