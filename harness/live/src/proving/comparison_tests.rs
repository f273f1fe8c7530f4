use std::collections::BTreeMap;

use partywall_offline::netpol::{
    Address, ContainerPort, NamespaceFacts, PodFacts, Protocol, generate,
};
use rstest::rstest;

use super::*;
use crate::proving::Late;

fn ground() -> Ground {
    let namespaces = ["a", "b"].map(|name| NamespaceFacts {
        name: name.to_string(),
        labels: [("team".to_string(), name.to_string())].into(),
    });
    let pods = [("a", "web", 1), ("a", "db", 2), ("b", "web", 3), ("b", "job", 4)].map(
        |(namespace, name, last)| PodFacts {
            namespace: namespace.to_string(),
            name: name.to_string(),
            labels: [("app".to_string(), name.to_string())].into(),
            ports: vec![ContainerPort {
                name: Some("http".to_string()),
                number: 8000,
                protocol: Protocol::Tcp,
            }],
            host_network: false,
            address: Address::Known(vec![[10, 0, 0, last].into()]),
        },
    );
    Ground { namespaces: namespaces.into(), pods: pods.into(), ports: vec![8000, 8001] }
}

/// Evidence from a cluster that does as the evaluator says.
fn evidence() -> Evidence {
    let ground = ground();
    let all = generate(7, &ground.namespaces, &ground.pods, 60);
    let rounds = all.chunks(3).map(|policies| {
        let evaluated = ground.policies(policies);
        let seen = ground.squares().into_iter().filter_map(|square| {
            let seen = match square.decide(&evaluated).verdict {
                Answer::Yes => Seen::Reached,
                Answer::No => Seen::Closed,
                Answer::Unknown { .. } => return None,
            };
            Some((square, seen))
        });
        Round { policies: policies.to_vec(), seen: seen.collect(), late: Vec::new() }
    });
    let rounds = rounds.collect();
    Evidence { ground, rounds, cases: Vec::new() }
}

fn compare(evidence: &Evidence) -> Comparison {
    evidence.compare(Ground::policies)
}

#[test]
fn equal_answers_have_no_fault() {
    let comparison = compare(&evidence());
    assert_eq!(comparison.faults(60), Vec::<String>::new(), "{comparison}");
    assert_eq!((comparison.policies, comparison.rounds), (60, 20));
    // Four pods with themselves, two ports, two protocols, in every round.
    assert_eq!(comparison.unknown.values().sum::<usize>(), 20 * 16);
    assert_eq!(comparison.compared(), 20 * 12 * 4);
}

/// The first square that was seen like this, in its round.
fn first(evidence: &mut Evidence, wanted: &Seen) -> (usize, Square) {
    let rounds = evidence.rounds.iter().enumerate();
    let mut squares = rounds.flat_map(|(place, round)| {
        round.seen.iter().map(move |(square, seen)| (place, square, seen))
    });
    let found = squares.find(|(_, _, seen)| *seen == wanted).unwrap();
    (found.0, *found.1)
}

#[rstest]
#[case::leak(Seen::Closed, Some(Seen::Reached))]
#[case::arrival(Seen::Closed, Some(Seen::Half))]
#[case::deny(Seen::Reached, Some(Seen::Closed))]
#[case::silence(Seen::Closed, Some(Seen::Unanswered("lost".to_string())))]
#[case::hole(Seen::Reached, None)]
fn one_other_answer_is_a_fault(#[case] before: Seen, #[case] after: Option<Seen>) {
    let mut evidence = evidence();
    let (round, square) = first(&mut evidence, &before);
    let seen = &mut evidence.rounds[round].seen;
    match after {
        Some(after) => seen.insert(square, after),
        None => seen.remove(&square),
    };
    let comparison = compare(&evidence);
    assert_eq!(comparison.faults(60), ["squares that differ: 1"]);
    let words = evidence.ground.words(square);
    assert!(comparison.to_string().contains(&words), "{comparison}");
    assert_eq!(comparison.disagreements[0].round, round + 1);
}

#[test]
fn a_policy_that_the_evaluator_does_not_know_is_found() {
    let evidence = evidence();
    let blind = evidence.compare(|ground, policies| ground.policies(&policies[1..]));
    assert!(blind.differing() > 0, "{blind}");
}

#[test]
fn too_few_policies_and_nothing_at_all_are_faults() {
    assert_eq!(compare(&evidence()).faults(61), ["60 policies, and not 61"]);
    let nothing = Comparison::default().faults(0);
    assert_eq!(nothing, ["no square was compared"]);
}

#[rstest]
#[case(95, 5, &["only 5 of 100 squares not reached"])]
#[case(5, 95, &["only 5 of 100 squares reached"])]
#[case(90, 10, &[])]
fn both_answers_must_occur(
    #[case] reached: usize,
    #[case] closed: usize,
    #[case] expected: &[&str],
) {
    let comparison = Comparison { reached, closed, ..Comparison::default() };
    assert_eq!(comparison.faults(0), expected);
}

#[test]
fn a_few_late_squares_are_told_and_many_are_a_fault() {
    let mut evidence = evidence();
    let (round, square) = first(&mut evidence, &Seen::Closed);
    let late = Late { square, first: Seen::Reached, is_old_flow: true };
    evidence.rounds[round].late = vec![late.clone(); 9];
    let comparison = compare(&evidence);
    assert_eq!(comparison.faults(60), Vec::<String>::new());
    assert!(comparison.to_string().contains("squares realised late: 9"), "{comparison}");
    assert!(comparison.late[0].ends_with("first reached (a UDP flow of an earlier round)"));
    evidence.rounds[round].late = vec![late; 10];
    assert_eq!(compare(&evidence).faults(60), ["squares realised late: 10"]);
}

#[test]
fn a_policy_that_only_the_cluster_takes_is_a_fault() {
    let mut evidence = evidence();
    let refused = serde_json::json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "odd", "namespace": "a"}, "spec": {"policyTypes": ["Sideways"]},
    });
    evidence.rounds[0].policies.push(refused);
    let comparison = compare(&evidence);
    assert_eq!(comparison.faults(60), ["policies that only the cluster takes: 1"]);
    assert!(comparison.to_string().contains("name: odd"), "{comparison}");
}

#[test]
fn squares_are_all_pairs_on_all_ports() {
    let squares = ground().squares();
    let mut by_pair: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for square in &squares {
        *by_pair.entry((square.from, square.to)).or_default() += 1;
    }
    assert_eq!((by_pair.len(), squares.len()), (16, 64));
    assert!(by_pair.values().all(|count| *count == 4));
}
