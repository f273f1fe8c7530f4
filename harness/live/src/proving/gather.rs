//! The rounds: policies, sentinel, probes, and a second look at what differs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client};
use partywall_offline::netpol::{Answer, Protocol, generate};
use serde_json::Value;

use super::cases::cases;
use super::comparison::{agrees, yaml};
use super::error::ProvingError;
use super::evidence::{Evidence, Ground, Late, Round, Seen, Square};
use super::probe::Answered;
use super::sentinel::Sentinel;
use super::{ground, probe};
use crate::apply::apply;
use crate::observe::harness_pods::object;
use crate::observe::streams::Streams;

/// How long an answer that is expected may take. Two lost first packets fit into it.
const ANSWER_LIMIT: Duration = Duration::from_millis(4000);
/// How long a leak is waited for: on a pod network of one machine an answer takes a millisecond.
const DENY_LIMIT: Duration = Duration::from_millis(1000);
/// How long a network plugin may lag behind its own sentinel.
const SETTLING: Duration = Duration::from_secs(3);
/// New pods need a moment until all know the way to all.
const CONTROL_LIMIT: Duration = Duration::from_secs(30);

/// What to put on the proving ground.
#[derive(Clone, Debug)]
pub struct ProvingPlan {
    /// The image of the agent.
    pub agent_image: String,
    /// The seed of the policies.
    pub seed: u64,
    /// How many of them in all; one that is not generated comes on top.
    pub policies: usize,
    /// How many stand at the same time.
    pub at_once: usize,
}

/// Make the ground, run all rounds, and remove the ground again, whatever happened. `watch` is
/// told after each round.
pub async fn gather(
    client: &Client,
    plan: &ProvingPlan,
    watch: impl Fn(&str),
) -> Result<Evidence, ProvingError> {
    let started = Instant::now();
    let watch = |what: &str| watch(&format!("{:5.1} s: {what}", started.elapsed().as_secs_f64()));
    ground::remove(client).await?;
    let gathered = rounds(client, plan, &watch).await;
    let removed = ground::remove(client).await;
    watch("the proving ground is gone");
    let evidence = gathered?;
    removed?;
    Ok(evidence)
}

async fn rounds(
    client: &Client,
    plan: &ProvingPlan,
    watch: &impl Fn(&str),
) -> Result<Evidence, ProvingError> {
    let image = &plan.agent_image;
    let (ground, sentinel) =
        futures::try_join!(ground::make(client, image), Sentinel::make(client, image))?;
    let streams = Streams::new(client.clone());
    let mut field = Field { client, streams, ground, sentinel, flows: BTreeSet::new() };
    field.control().await?;
    watch("everybody reaches everybody without policies");
    let mut policies =
        generate(plan.seed, &field.ground.namespaces, &field.ground.pods, plan.policies);
    let generated = policies.len();
    policies.extend(ground::excepting(&field.ground));
    let (generated, excepting) = policies.split_at(generated);
    let mut rounds = Vec::new();
    for policies in generated.chunks(plan.at_once.max(1)).chain([excepting]) {
        let round = field.round(policies).await?;
        let (number, seen, late) = (rounds.len() + 1, round.seen.len(), round.late.len());
        watch(&format!("round {number}: {} policies, {seen} squares, {late} late", policies.len()));
        rounds.push(round);
    }
    let mut by_hand = Vec::new();
    for case in cases(&field.ground) {
        let round = field.round(&case.policies).await?;
        watch(&format!("round {}: {}", rounds.len() + 1, case.name));
        by_hand.push((rounds.len(), case));
        rounds.push(round);
    }
    field.lift().await?;
    field.control().await?;
    Ok(Evidence { ground: field.ground, rounds, cases: by_hand })
}

struct Field<'a> {
    client: &'a Client,
    streams: Streams,
    ground: Ground,
    sentinel: Sentinel,
    /// The ports from which each square was reached by UDP so far.
    flows: BTreeSet<(Square, u16)>,
}

impl Field<'_> {
    /// Without policies everybody reaches everybody, on every port: whatever is closed later
    /// was closed by a policy.
    async fn control(&mut self) -> Result<(), ProvingError> {
        self.sentinel.flip(self.client, &self.streams).await?;
        let all = self.ground.squares().into_iter().filter(|square| square.from != square.to);
        let all: Vec<_> = all.map(|square| (square, ANSWER_LIMIT)).collect();
        let started = Instant::now();
        loop {
            let seen = probe::probe(&self.streams, &self.ground, &all).await?;
            self.flows.extend(flows(&seen));
            let others = seen.iter().filter(|(_, answered)| answered.seen != Seen::Reached);
            let others: Vec<String> = others
                .map(|(square, other)| format!("{}: {}", self.ground.words(*square), other.seen))
                .collect();
            if others.is_empty() {
                return Ok(());
            }
            if started.elapsed() > CONTROL_LIMIT {
                return Err(ProvingError::NoControl(others.join("; ")));
            }
        }
    }

    async fn round(&mut self, policies: &[Value]) -> Result<Round, ProvingError> {
        self.lift().await?;
        for policy in policies {
            let applied = apply(self.client, &object(policy.clone())).await;
            applied.map_err(|source| ProvingError::Policy { policy: yaml(policy), source })?;
        }
        self.sentinel.flip(self.client, &self.streams).await?;
        let evaluated = self.ground.policies(policies);
        let expected: Vec<(Square, Answer)> = self
            .ground
            .squares()
            .into_iter()
            .map(|square| (square, square.decide(&evaluated).verdict))
            .filter(|(_, answer)| !matches!(answer, Answer::Unknown { .. }))
            .collect();
        let limit = |answer: &Answer| match answer {
            Answer::Yes => ANSWER_LIMIT,
            Answer::No | Answer::Unknown { .. } => DENY_LIMIT,
        };
        let asked: Vec<_> =
            expected.iter().map(|(square, answer)| (*square, limit(answer))).collect();
        let first = probe::probe(&self.streams, &self.ground, &asked).await?;
        let second = self.second_look(&first, &expected).await?;
        let round = self.round_of(policies, &first, &second, &expected);
        self.flows.extend(flows(&first).chain(flows(&second)));
        Ok(round)
    }

    /// Ask once more, after a while, what is not as the evaluator says.
    async fn second_look(
        &self,
        first: &BTreeMap<Square, Answered>,
        expected: &[(Square, Answer)],
    ) -> Result<BTreeMap<Square, Answered>, ProvingError> {
        let again = expected.iter().filter(|(square, answer)| {
            !first.get(square).is_some_and(|answered| agrees(answer, &answered.seen))
        });
        let again: Vec<_> = again.map(|(square, _)| (*square, ANSWER_LIMIT)).collect();
        if again.is_empty() {
            return Ok(BTreeMap::new());
        }
        tokio::time::sleep(SETTLING).await;
        probe::probe(&self.streams, &self.ground, &again).await
    }

    /// The second answer counts; where it agrees, the first is kept beside it.
    fn round_of(
        &self,
        policies: &[Value],
        first: &BTreeMap<Square, Answered>,
        second: &BTreeMap<Square, Answered>,
        expected: &[(Square, Answer)],
    ) -> Round {
        let last = first.iter().chain(second);
        let seen = last.map(|(square, answered)| (*square, answered.seen.clone())).collect();
        let late = expected.iter().filter_map(|(square, answer)| {
            let (first, second) = (first.get(square)?, second.get(square)?);
            agrees(answer, &second.seen).then(|| Late {
                square: *square,
                first: first.seen.clone(),
                is_old_flow: first
                    .local_port
                    .is_some_and(|port| self.flows.contains(&(*square, port))),
            })
        });
        Round { policies: policies.to_vec(), seen, late: late.collect() }
    }

    /// Take the policies of the last round away.
    async fn lift(&self) -> Result<(), ProvingError> {
        for namespace in &self.ground.namespaces {
            let policies: Api<NetworkPolicy> =
                Api::namespaced(self.client.clone(), &namespace.name);
            policies.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
        }
        Ok(())
    }
}

/// Squares that were reached by UDP, and from which port.
fn flows(seen: &BTreeMap<Square, Answered>) -> impl Iterator<Item = (Square, u16)> {
    let reached = seen.iter().filter(|(square, answered)| {
        square.protocol == Protocol::Udp && answered.seen == Seen::Reached
    });
    reached.filter_map(|(square, answered)| Some((*square, answered.local_port?)))
}
