//! What can be broken in a layout, and who must notice.

/// A way to break a layout.
#[derive(Debug, PartialEq, Eq)]
pub struct Operator {
    /// Its name: `policy-removed`.
    pub name: &'static str,
    /// What it does and what that breaks, in one sentence.
    pub breaks: &'static str,
    /// Who must go red, and for which reason; any one of them.
    pub killers: &'static [Killer],
}

impl Operator {
    /// Why the files alone cannot tell, where they cannot: only a cluster is asked then.
    pub fn unseen_by_files(&self) -> Option<&'static str> {
        // The offline backend knows no rights of accounts.
        (self.name == "account-dropped")
            .then_some("the files do not tell what an account may do; Flux does, on a cluster")
    }

    /// Why a cluster cannot tell, where it cannot: only the files are asked then.
    pub fn unseen_by_clusters(&self) -> Option<&'static str> {
        (self.name == "mac-broken").then_some("Flux does not look at the MAC of a sealed file")
    }
}

/// Who must go red, and for which reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Killer {
    /// Who.
    pub witness: Witness,
    /// A part of the reason that is given.
    pub reason: &'static str,
}

/// Who tells that a promise is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Witness {
    /// Scenarios whose path begins so: `isolation/`, `telemetry/log-own-org`.
    Scenario(&'static str),
    /// The defect of this name, whoever found it: the files, or Flux.
    Defect(&'static str),
}

const fn scenario(path: &'static str, reason: &'static str) -> Killer {
    Killer { witness: Witness::Scenario(path), reason }
}

const fn defect(name: &'static str, reason: &'static str) -> Killer {
    Killer { witness: Witness::Defect(name), reason }
}

/// What a deny says that saw traffic, in the scenarios that ask who reaches whom.
const LEAK: &str = "expected denied";
/// What an allow says that saw none.
const LOSS: &str = "expected reached, saw";

/// What a deny says whose target answers nobody any more: traffic of the platform's own is closed.
const NO_CONTROL: &str = "no allowed client reached the same target and port";

const OPENED: &[Killer] = &[
    scenario("isolation/", LEAK),
    scenario("reach/", LEAK),
    scenario("world/", LEAK),
    scenario("attempts/", LEAK),
    defect("uncontracted-flow", ""),
];

const CLOSED: &[Killer] = &[
    scenario("reach/", LOSS),
    scenario("world/", LOSS),
    scenario("telemetry/", "does not leave"),
    defect("contracted-port-denied", ""),
    defect("dns-denied", ""),
    defect("dns-over-tcp-denied", ""),
    defect("telemetry-cannot-leave", ""),
    scenario("isolation/", NO_CONTROL),
    scenario("attempts/", NO_CONTROL),
];

const OPENED_OR_CLOSED: &[Killer] = &[
    scenario("isolation/", LEAK),
    scenario("reach/", LEAK),
    scenario("world/", LEAK),
    scenario("attempts/", LEAK),
    defect("uncontracted-flow", ""),
    scenario("reach/", LOSS),
    scenario("world/", LOSS),
    scenario("telemetry/", "does not leave"),
    scenario("isolation/", NO_CONTROL),
    scenario("attempts/", NO_CONTROL),
];

const MISROUTED: &[Killer] = &[
    scenario("telemetry/", "is in org"),
    scenario("telemetry/", "is not in its org"),
    scenario("telemetry/", "does not leave"),
    defect("telemetry-", ""),
    defect("sender-in-other-organisation", ""),
    defect("sender-without-organisation", ""),
    defect("organisation-lost", ""),
    defect("collector-does-not-start", ""),
];

/// One wall alone does not show what only both together let through.
const BOTH_OPENED: &[Killer] = &[scenario("isolation/other-tenants", LEAK)];

const RIGHTS: &[Killer] = &[scenario("attempts/", ""), defect("account-may-not-apply", "")];

/// What says that something which was there is missing. What says that something leaks, or is
/// read in the wrong organisation, does not.
const LEFT_OUT: &[Killer] = &[
    scenario("reach/", LOSS),
    scenario("reach/", "nothing stands behind"),
    scenario("reach/", "could not be made"),
    scenario("telemetry/", "is not in its org"),
    scenario("telemetry/", "does not leave"),
    scenario("telemetry/", "could not be made"),
    scenario("telemetry/", "nothing stands behind"),
    scenario("telemetry/data-sources", "no data source of Grafana"),
    scenario("secrets/arrives-decrypted", ""),
    scenario("attempts/services", LOSS),
    defect("reference-not-found", ""),
    defect("account-may-not-apply", ""),
    defect("missing-rights", ""),
    defect("not-ready", ""),
    defect("contract", ""),
];

macro_rules! catalogue {
    ($($constant:ident $name:literal $killers:expr, $breaks:literal;)*) => {
        $(pub(super) const $constant: &Operator =
            &Operator { name: $name, breaks: $breaks, killers: $killers };)*

        /// Every operator, in the order in which mutants are made.
        pub const CATALOGUE: &[&Operator] = &[$($constant),*];
    };
}

catalogue! {
    POLICY_REMOVED "policy-removed" OPENED_OR_CLOSED,
        "takes a NetworkPolicy out: what it closed is open, what it allowed is closed";
    POLICY_RENAMED "policy-renamed" OPENED_OR_CLOSED,
        "gives a NetworkPolicy another name: nothing should change";
    POLICY_MISSES "policy-misses-its-pods" OPENED_OR_CLOSED,
        "lets a NetworkPolicy select pods by a label that none has: it closes nothing any more";
    POLICY_WIDENED "policy-takes-in-all-pods" OPENED_OR_CLOSED,
        "lets a NetworkPolicy for some pods be one for all pods of its namespace";
    EGRESS_DROPPED "egress-not-covered" OPENED_OR_CLOSED,
        "takes Egress out of policyTypes: its pods may call whomever they like";
    INGRESS_DROPPED "ingress-not-covered" OPENED_OR_CLOSED,
        "takes Ingress out of policyTypes: its pods may be called by whomever";
    ALLOW_ALL_ADDED "allow-all-added" OPENED,
        "adds a policy that allows everything: policies add up, so no other one matters";
    BOTH_WALLS_OPENED "both-walls-opened" BOTH_OPENED,
        "opens a tenant's egress wall to another tenant, and that one's ingress wall to it";
    PEERS_DROPPED "peers-dropped" OPENED,
        "takes the peers out of a rule: it is for everybody";
    NAMESPACES_WIDENED "peer-namespace-emptied" OPENED,
        "empties the namespaceSelector of a peer: pods of every namespace are meant";
    NAMESPACE_TERM_DROPPED "peer-namespace-label-dropped" OPENED,
        "takes one of several labels out of the namespaceSelector of a peer";
    PODS_WIDENED "peer-pods-emptied" OPENED,
        "takes the podSelector out of a peer: every pod of its namespaces is meant";
    PORTS_DROPPED "ports-dropped" OPENED,
        "takes the ports out of a rule: it is for every port";
    PORT_ADDED "port-added" OPENED,
        "adds a port to a rule that the contract does not list";
    ADDRESSES_ADDED "addresses-added" OPENED,
        "adds every address to the peers of an egress rule";
    RULE_REMOVED "rule-removed" CLOSED,
        "takes a rule out: what the contract promises is closed";
    PORT_REMOVED "port-removed" CLOSED,
        "takes one of several ports out of a rule: what the contract promises is closed";
    NAMESPACE_LABEL "namespace-label-dropped" NAMESPACE_KILLERS,
        "takes a label off a Namespace: selectors do not find it, and admission does not guard it";
    ORG_SWAPPED "org-swapped" MISROUTED,
        "sends a tenant's telemetry under another tenant's organisation";
    METADATA_DROPPED "collector-forgets-org" MISROUTED,
        "takes a setting out of the collector that carries the sender's organisation";
    ORG_FIXED "collector-fixes-org" MISROUTED,
        "lets the collector put everybody's telemetry into one tenant's organisation";
    TENANCY_OFF "store-tenancy-off" TENANCY,
        "switches the tenancy of a store off: it answers without an organisation";
    RECIPIENT_ADDED "recipient-added" &[
            scenario("secrets/own-key-only", "the key of"),
            scenario("secrets/own-key-only", "is nobody of the contract"),
        ],
        "seals a tenant's file to another tenant's key as well";
    MAC_BROKEN "mac-broken" &[scenario("secrets/as-sealed", "was changed after it was sealed")],
        "changes the readable part of a sealed file: its MAC does not fit, and Flux opens it";
    REGEX_LOOSENED "encrypted-regex-loosened" &[defect("encrypted-regex-not-anchored", "")],
        "takes the anchors off a creation rule's pattern: it seals what Flux must be able to read";
    KEY_COMMITTED "key-committed" &[
            scenario("secrets/nothing-readable-in-git", "a private age key"),
        ],
        "commits a private key beside a tenant's sealed file";
    KEY_LENT "key-lent-to-platform" &[defect("platform-wide-key", "")],
        "opens the platform's files with a tenant's key: the tenant can open them too";
    RULE_RECIPIENT "rule-recipient-added" &[defect("recipient-not-in-rule", "")],
        "names another tenant's key in a creation rule: the next edit seals the file to it";
    DECRYPTION_REMOVED "decryption-removed" &[
            scenario("secrets/arrives-decrypted", ""),
            defect("decryption-missing", ""),
            defect("decryption-failed", ""),
        ],
        "takes the decryption out of a Kustomization: sealed values arrive as they are";
    KEY_SWAPPED "decryption-key-swapped" &[
            scenario("secrets/", ""),
            defect("decryption-failed", ""),
        ],
        "opens a tenant's files with another tenant's key";
    PLAINTEXT "plaintext-secret" &[scenario("secrets/nothing-readable-in-git", "")],
        "commits a Secret that nobody sealed";
    ROLE_WIDENED "role-widened" RIGHTS,
        "gives a tenant's account every verb on everything in its namespace: it may move its walls";
    ACCOUNT_DROPPED "account-dropped" &[
            defect("account-may-not-apply", ""),
            defect("missing-rights", ""),
            defect("not-ready", ""),
            scenario("attempts/", ""),
        ],
        "lets Flux apply without naming whose rights: the default account's, or its own";
    PRUNE_OFF "prune-off" &[defect("prune-off", "")],
        "switches pruning off: a policy that is gone from Git stays in the cluster";
    ORDER_DROPPED "order-dropped" &[defect("workload-before-policy", "")],
        "takes dependsOn out: workloads may run before there is a wall";
    POLICY_LATE "policy-beside-workload" &[
            defect("workload-before-policy", ""),
            defect("missing-rights", ""),
        ],
        "moves policies into the Kustomization that applies the workload: they come after it";
    POLICIES_LEFT_OUT "policies-left-out" OPENED_OR_CLOSED,
        "leaves the policies out of a kustomization.yaml";
    RESOURCE_LEFT_OUT "resource-left-out" LEFT_OUT,
        "leaves a file out of a kustomization.yaml: what it promises is not there";
}

const NAMESPACE_KILLERS: &[Killer] = &[
    scenario("reach/", LOSS),
    scenario("isolation/", LEAK),
    scenario("world/", ""),
    scenario("attempts/", ""),
    scenario("telemetry/", "does not leave"),
    defect("uncontracted-flow", ""),
];

const TENANCY: &[Killer] = &[
    scenario("telemetry/", "without an organisation the store answered"),
    scenario("telemetry/", "is in org"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_every_operator_has_somebody_who_notices() {
        let names: BTreeSet<&str> = CATALOGUE.iter().map(|operator| operator.name).collect();
        assert_eq!(names.len(), CATALOGUE.len());
        for operator in CATALOGUE {
            assert!(!operator.killers.is_empty(), "{}", operator.name);
            assert!(!operator.breaks.is_empty(), "{}", operator.name);
        }
    }
}
