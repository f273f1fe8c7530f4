//! Telemetry that claims to be another tenant's, and how telemetry is carried.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::contract::Tenant;

/// The header that names an organisation, as the stores document it.
const HEADER: &str = "X-Scope-OrgID";
/// The same in letters that no client writes.
const ODD_HEADER: &str = "x-sCoPe-oRgId";
/// The attribute that says where a pod runs, and which a pod can write.
const NAMESPACE: &str = "k8s.namespace.name";

/// How OTLP is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// gRPC, on port 4317 by convention.
    Grpc,
    /// Protobuf over HTTP, on port 4318 by convention.
    Http,
}

impl Over {
    /// As scenarios and reports write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
        }
    }

    const fn port(self) -> &'static str {
        match self {
            Self::Grpc => "4317",
            Self::Http => "4318",
        }
    }

    /// The address beside a sender's endpoint at which this is spoken: the same host, on the
    /// port that the OTLP specification gives to it.
    pub fn beside(self, endpoint: &str) -> String {
        let (scheme, rest) = endpoint.split_once("://").unwrap_or(("http", endpoint));
        let authority = rest.split('/').next().unwrap_or_default();
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => host,
            _ => authority,
        };
        format!("{scheme}://{host}:{}", self.port())
    }
}

/// A way to claim another's organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forge {
    /// The other's organisation in the header.
    Other,
    /// The same, in a header whose name is written in odd case.
    OddCase,
    /// Two headers: one's own, then the other's.
    OwnThenOther,
    /// Two headers: the other's, then one's own.
    OtherThenOwn,
    /// The other's organisation with what some components cut off: `other:x=y`.
    WithMetadata,
    /// Two organisations in one header: `own|other`.
    TwoValues,
    /// A path to the other: `../other`.
    ParentPath,
    /// A header without a value.
    Empty,
    /// No header.
    Missing,
    /// One's own header, and an attribute that names the other's namespace.
    NamespaceAttribute,
}

impl Forge {
    /// As scenarios and reports write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::OddCase => "odd-case",
            Self::OwnThenOther => "own-then-other",
            Self::OtherThenOwn => "other-then-own",
            Self::WithMetadata => "with-metadata",
            Self::TwoValues => "two-values",
            Self::ParentPath => "parent-path",
            Self::Empty => "empty",
            Self::Missing => "missing",
            Self::NamespaceAttribute => "namespace-attribute",
        }
    }

    /// Whether it needs another tenant to name.
    pub const fn names_another(self) -> bool {
        !matches!(self, Self::Empty | Self::Missing)
    }

    /// What a tenant sends to pass for another.
    pub fn of(self, own: &Tenant, other: Option<&Tenant>) -> Forged {
        let (mine, org) = (own.org.as_str(), other.map_or("", |other| other.org.as_str()));
        let header = |value: String| Some(vec![(HEADER.to_string(), value)]);
        let two = |first: &str, second: &str| {
            let line = |value: &str| (HEADER.to_string(), value.to_string());
            Some(vec![line(first), line(second)])
        };
        let headers = match self {
            Self::Other => header(org.to_string()),
            Self::OddCase => Some(vec![(ODD_HEADER.to_string(), org.to_string())]),
            Self::OwnThenOther => two(mine, org),
            Self::OtherThenOwn => two(org, mine),
            Self::WithMetadata => header(format!("{org}:x=y")),
            Self::TwoValues => header(format!("{mine}|{org}")),
            Self::ParentPath => header(format!("../{org}")),
            Self::Empty => header(String::new()),
            Self::Missing => Some(Vec::new()),
            Self::NamespaceAttribute => None,
        };
        let namespace = other.and_then(|other| other.namespaces.first());
        let attributes = match (self, namespace) {
            (Self::NamespaceAttribute, Some(namespace)) => {
                BTreeMap::from([(NAMESPACE.to_string(), namespace.clone())])
            }
            _ => BTreeMap::new(),
        };
        Forged { how: self, other: other.map(|other| other.name.clone()), headers, attributes }
    }
}

/// What is not the tenant's own in what it sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forged {
    /// In which way.
    pub how: Forge,
    /// The tenant that is named.
    pub other: Option<String>,
    /// Header lines in the place of the environment's organisation; `None` leaves that one.
    pub headers: Option<Vec<(String, String)>>,
    /// Attributes of the resource beside the environment's own.
    pub attributes: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn tenant(name: &str) -> Tenant {
        Tenant {
            name: name.to_string(),
            namespaces: vec![format!("{name}-space")],
            org: name.to_string(),
            secrets: None,
        }
    }

    #[rstest]
    #[case(
        Over::Http,
        "http://alloy.observability.svc:4317",
        "http://alloy.observability.svc:4318"
    )]
    #[case(Over::Grpc, "http://alloy:4318/v1/logs", "http://alloy:4317")]
    #[case(Over::Http, "alloy", "http://alloy:4318")]
    #[case(Over::Grpc, "https://alloy:9", "https://alloy:4317")]
    fn both_protocols_are_on_the_same_host(
        #[case] over: Over,
        #[case] endpoint: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(over.beside(endpoint), expected);
    }

    #[rstest]
    #[case(Forge::Other, "X-Scope-OrgID: b")]
    #[case(Forge::OddCase, "x-sCoPe-oRgId: b")]
    #[case(Forge::OwnThenOther, "X-Scope-OrgID: a, X-Scope-OrgID: b")]
    #[case(Forge::OtherThenOwn, "X-Scope-OrgID: b, X-Scope-OrgID: a")]
    #[case(Forge::WithMetadata, "X-Scope-OrgID: b:x=y")]
    #[case(Forge::TwoValues, "X-Scope-OrgID: a|b")]
    #[case(Forge::ParentPath, "X-Scope-OrgID: ../b")]
    #[case(Forge::Empty, "X-Scope-OrgID: ")]
    #[case(Forge::Missing, "")]
    fn a_forgery_is_header_lines(#[case] forge: Forge, #[case] expected: &str) {
        let forged = forge.of(&tenant("a"), Some(&tenant("b")));
        let lines = forged.headers.unwrap();
        let lines: Vec<String> =
            lines.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(lines.join(", "), expected);
        assert!(forged.attributes.is_empty());
    }

    #[test]
    fn an_attribute_leaves_the_header_alone() {
        let forged = Forge::NamespaceAttribute.of(&tenant("a"), Some(&tenant("b")));
        assert_eq!(forged.headers, None);
        assert_eq!(forged.attributes["k8s.namespace.name"], "b-space");
    }
}
