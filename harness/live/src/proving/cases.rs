//! Policies by hand, each for one way in which protocols, ports and addresses can be confused,
//! with what must be seen under it. What is claimed here was written by a person who read the
//! specification; it is held against the cluster and against the evaluator alike.

use partywall_offline::netpol::{Address, Protocol};
use serde_json::{Value, json};

use super::evidence::{Ground, Square};

/// Policies, and what must be seen while they stand.
#[derive(Clone, Debug)]
pub struct Case {
    /// The claim in words.
    pub name: &'static str,
    /// The policies.
    pub policies: Vec<Value>,
    /// Squares, and whether they are reached.
    pub claims: Vec<(Square, bool)>,
}

/// A claim as it is written: who, whom, protocol, port, and whether it is reached.
type Claim = (&'static str, &'static str, Protocol, u16, bool);

const TCP: Protocol = Protocol::Tcp;
const UDP: Protocol = Protocol::Udp;
/// Called, and caller: pods of the ground, by the last letter of their namespaces.
const CALLED: &str = "a/web";
const CALLER: &str = "b/web";

/// The cases over this ground. Its control phases show that every square is reached without
/// policies, and receipts that what is closed did not arrive.
pub fn cases(ground: &Ground) -> Vec<Case> {
    let mut cases = protocols(ground);
    cases.extend(ranges(ground));
    cases.extend(named_ports(ground));
    cases.extend(addresses(ground));
    cases
}

fn protocols(ground: &Ground) -> Vec<Case> {
    let opens = |ports: Value| vec![ingress("web", json!([{"ports": ports}]))];
    vec![
        ground.case(
            "a rule for SCTP opens neither TCP nor UDP",
            opens(json!([{"port": 8000, "protocol": "SCTP"}])),
            &[(CALLER, CALLED, TCP, 8000, false), (CALLER, CALLED, UDP, 8000, false)],
        ),
        ground.case(
            "a rule for UDP opens no TCP",
            opens(json!([{"port": 8000, "protocol": "UDP"}])),
            &[
                (CALLER, CALLED, UDP, 8000, true),
                (CALLER, CALLED, TCP, 8000, false),
                (CALLER, CALLED, UDP, 8001, false),
            ],
        ),
        ground.case(
            "a rule without a protocol is for TCP",
            opens(json!([{"port": 8000}])),
            &[(CALLER, CALLED, TCP, 8000, true), (CALLER, CALLED, UDP, 8000, false)],
        ),
    ]
}

fn ranges(ground: &Ground) -> Vec<Case> {
    let opens = |first: u16, last: u16| {
        let ports = json!([{"port": first, "endPort": last, "protocol": "TCP"}]);
        vec![ingress("web", json!([{"ports": ports}]))]
    };
    vec![
        ground.case(
            "a range ends with its last port",
            opens(8000, 8001),
            &[
                (CALLER, CALLED, TCP, 8000, true),
                (CALLER, CALLED, TCP, 8001, true),
                (CALLER, CALLED, TCP, 8003, false),
                (CALLER, CALLED, UDP, 8000, false),
            ],
        ),
        ground.case(
            "a range begins with its first port",
            opens(8001, 8003),
            &[
                (CALLER, CALLED, TCP, 8000, false),
                (CALLER, CALLED, TCP, 8001, true),
                (CALLER, CALLED, TCP, 8003, true),
            ],
        ),
    ]
}

/// `http` is 8000/TCP of `a/web`, 8001/TCP of `a/db`, and 8000/UDP of `a/bare`.
fn named_ports(ground: &Ground) -> Vec<Case> {
    let named = json!([{"port": "http", "protocol": "TCP"}]);
    let of_everybody = |spec: Value| {
        let mut spec = spec;
        spec["podSelector"] = json!({});
        spec
    };
    let by_the_called = policy("a", of_everybody(json!({"ingress": [{"ports": named}]})));
    let by_the_caller =
        policy("b", of_everybody(json!({"policyTypes": ["Egress"], "egress": [{"ports": named}]})));
    let claims: &[Claim] = &[
        (CALLER, "a/web", TCP, 8000, true),
        (CALLER, "a/web", TCP, 8001, false),
        (CALLER, "a/db", TCP, 8000, false),
        (CALLER, "a/db", TCP, 8001, true),
        (CALLER, "a/bare", TCP, 8000, false),
        (CALLER, "a/bare", UDP, 8000, false),
    ];
    vec![
        ground.case("a named port is each pod's own, who calls", vec![by_the_called], claims),
        ground.case(
            "a named port is that of the called, not the caller's",
            vec![by_the_caller],
            claims,
        ),
    ]
}

fn addresses(ground: &Ground) -> Vec<Case> {
    let from =
        |cidr: String| vec![ingress("web", json!([{"from": [{"ipBlock": {"cidr": cidr}}]}]))];
    let caller = ground.address(CALLER).map(|address| format!("{address}/32"));
    let one = caller.map(|cidr| {
        ground.case(
            "a rule for one address opens no other pod of its namespace",
            from(cidr),
            &[
                (CALLER, CALLED, TCP, 8000, true),
                ("b/db", CALLED, TCP, 8000, false),
                ("c/web", CALLED, TCP, 8000, false),
                ("a/db", CALLED, TCP, 8000, false),
            ],
        )
    });
    let none = ground.case(
        "a rule for addresses outside opens no pod",
        from("203.0.113.0/24".to_string()),
        &[
            (CALLER, CALLED, TCP, 8000, false),
            ("a/db", CALLED, TCP, 8000, false),
            ("c/web", CALLED, UDP, 8000, false),
        ],
    );
    one.into_iter().chain([none]).collect()
}

/// A policy for one pod of the first namespace.
fn ingress(app: &str, rules: Value) -> Value {
    let selector = json!({"matchLabels": {"app": app}});
    policy("a", json!({"podSelector": selector, "policyTypes": ["Ingress"], "ingress": rules}))
}

fn policy(namespace: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "case", "namespace": format!("partywall-proving-{namespace}")},
        "spec": spec,
    })
}

impl Ground {
    fn case(&self, name: &'static str, policies: Vec<Value>, claims: &[Claim]) -> Case {
        let square = |(from, to, protocol, port, is_reached): &Claim| {
            let (from, to) = (self.place(from)?, self.place(to)?);
            Some((Square { from, to, protocol: *protocol, port: *port }, *is_reached))
        };
        Case { name, policies, claims: claims.iter().filter_map(square).collect() }
    }

    fn place(&self, name: &str) -> Option<usize> {
        let (namespace, name) = name.split_once('/')?;
        let is_called = |pod: &&partywall_offline::netpol::PodFacts| {
            pod.name == name && pod.namespace.strip_prefix("partywall-proving-") == Some(namespace)
        };
        self.pods.iter().position(|pod| is_called(&pod))
    }

    fn address(&self, name: &str) -> Option<std::net::IpAddr> {
        let Address::Known(addresses) = &self.pods.get(self.place(name)?)?.address else {
            return None;
        };
        addresses.iter().find(|address| address.is_ipv4()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::super::ground::made_up;
    use super::*;
    use partywall_offline::netpol::Answer;

    #[test]
    fn the_evaluator_says_what_the_cases_claim() {
        let ground = made_up();
        let cases = cases(&ground);
        assert_eq!(cases.len(), 9);
        for case in &cases {
            let policies = ground.policies(&case.policies);
            assert!(policies.refused().is_empty(), "{}", case.name);
            assert!(case.claims.len() > 1, "{}", case.name);
            for (square, is_reached) in &case.claims {
                let expected = if *is_reached { Answer::Yes } else { Answer::No };
                let words = ground.words(*square);
                assert_eq!(square.decide(&policies).verdict, expected, "{}: {words}", case.name);
            }
        }
    }

    #[test]
    fn every_case_would_be_told_from_open_walls() {
        let ground = made_up();
        for case in cases(&ground) {
            assert!(case.claims.iter().any(|(_, is_reached)| !is_reached), "{}", case.name);
        }
    }
}
