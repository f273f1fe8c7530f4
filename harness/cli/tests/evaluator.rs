//! The offline NetworkPolicy evaluator against the network plugin of the session's cluster, on
//! generated policies. Run with `PARTYWALL_LIVE=1` on the session that `partywall up` made
//! (`PARTYWALL_SESSION`, else `partywall`); it takes about three minutes.
//! `PARTYWALL_SEED` repeats the policies of an earlier run.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it saw")]

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use partywall_live::Session;
use partywall_live::proving::{Evidence, Ground, ProvingPlan, gather};
use partywall_offline::netpol::{Policies, Protocol};
use serde_json::{Value, json};

/// At least so many policies make a proof.
const POLICIES_LEAST: usize = 200;
const POLICIES: usize = 300;
/// Few enough that some pods stay open, enough that policies add up.
const AT_ONCE: usize = 6;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let live = variable("PARTYWALL_LIVE").is_some_and(|value| value == "1");
    let trial = Trial::ignorable_test("evaluator_and_cluster_agree", move || {
        if !live {
            let reason = "it needs a session: `partywall up`, then PARTYWALL_LIVE=1";
            return Ok(Completion::ignored_with(reason));
        }
        the_evaluator_and_the_cluster_agree().map(|()| Completion::Completed)
    });
    libtest_mimic::run(&arguments, vec![trial]).exit_code()
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn the_evaluator_and_the_cluster_agree() -> Result<(), Failed> {
    let seed =
        variable("PARTYWALL_SEED").map_or_else(seconds_since_1970, |text| text.parse().unwrap());
    let name = variable("PARTYWALL_SESSION").unwrap_or_else(|| "partywall".to_string());
    println!("seed {seed} (PARTYWALL_SEED={seed} repeats it), session {name}");
    let evidence = gathered(&name, seed)?;
    let comparison = evidence.compare(Ground::policies);
    println!("{comparison}");
    let mut faults = comparison.faults(POLICIES_LEAST);
    for (_, case) in &evidence.cases {
        println!("by hand: {} ({} claims)", case.name, case.claims.len());
    }
    if evidence.cases.is_empty() {
        faults.push("no policy was made by hand".to_string());
    }
    faults.extend(evidence.broken_claims());
    for (what, evaluate) in BROKEN {
        let broken = evidence.compare(evaluate);
        let (differing, rounds) = (broken.differing(), broken.disagreements.len());
        println!("an evaluator that {what}: {differing} squares differ, in {rounds} rounds");
        if differing == 0 {
            faults.push(format!("an evaluator that {what} is not found out"));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
}

fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Runs on one session take turns: `turn` is the file by which the program's own runs do.
fn gathered(name: &str, seed: u64) -> Result<Evidence, Failed> {
    let session = Session::load(&state(), name)?;
    let turn = File::create(session.file("turn"))?;
    turn.lock()?;
    let plan = ProvingPlan {
        agent_image: session.bundle.agent.clone(),
        seed,
        policies: POLICIES,
        at_once: AT_ONCE,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = session.client().await?;
        Ok(gather(&client, &plan, |line| println!("{line}")).await?)
    })
}

/// Where sessions are, as the program has it.
fn state() -> PathBuf {
    if let Some(state) = variable("PARTYWALL_STATE") {
        return PathBuf::from(state);
    }
    let home = || PathBuf::from(variable("HOME").unwrap()).join(".local/state");
    variable("XDG_STATE_HOME").map_or_else(home, PathBuf::from).join("partywall")
}

type Evaluate = fn(&Ground, &[Value]) -> Policies;

/// Evaluators with one mistake each: the evidence must tell every one of them from the cluster.
const BROKEN: [(&str, Evaluate); 11] = [
    ("overlooks the first policy", |ground, policies| ground.policies(&policies[1..])),
    ("reads every policy as ingress and egress", |ground, policies| {
        with_specs(ground, policies, |spec| spec["policyTypes"] = json!(["Ingress", "Egress"]))
    }),
    ("reads no policyTypes", |ground, policies| {
        with_specs(ground, policies, |spec| forget(spec, "policyTypes"))
    }),
    ("lets every policy select every pod", |ground, policies| {
        with_specs(ground, policies, |spec| spec["podSelector"] = json!({}))
    }),
    ("overlooks except", |ground, policies| with_everything(ground, policies, "except")),
    ("overlooks endPort", |ground, policies| with_everything(ground, policies, "endPort")),
    ("overlooks matchExpressions", |ground, policies| {
        with_everything(ground, policies, "matchExpressions")
    }),
    ("overlooks the ports of rules", |ground, policies| with_everything(ground, policies, "ports")),
    ("takes UDP for TCP", |ground, policies| {
        let mut ground = ground.clone();
        for port in ground.pods.iter_mut().flat_map(|pod| &mut pod.ports) {
            port.protocol = Protocol::Tcp;
        }
        with_everything(&ground, policies, "protocol")
    }),
    ("does not know the names of ports", |ground, policies| {
        let mut ground = ground.clone();
        ground.pods.iter_mut().for_each(|pod| pod.ports.clear());
        ground.policies(policies)
    }),
    ("does not know the labels of namespaces", |ground, policies| {
        let mut ground = ground.clone();
        ground.namespaces.iter_mut().for_each(|namespace| namespace.labels.clear());
        ground.policies(policies)
    }),
];

fn with_specs(ground: &Ground, policies: &[Value], change: impl Fn(&mut Value)) -> Policies {
    let mut policies = policies.to_vec();
    policies.iter_mut().for_each(|policy| change(&mut policy["spec"]));
    ground.policies(&policies)
}

/// Policies without any field of this name.
fn with_everything(ground: &Ground, policies: &[Value], but: &str) -> Policies {
    with_specs(ground, policies, |spec| forget(spec, but))
}

fn forget(value: &mut Value, field: &str) {
    match value {
        Value::Object(fields) => {
            fields.remove(field);
            fields.values_mut().for_each(|value| forget(value, field));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| forget(value, field)),
        _ => {}
    }
}
