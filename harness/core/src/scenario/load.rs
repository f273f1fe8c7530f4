//! Reading a scenario, and refusing one that could pass without proof.

use crate::attempt::{Effect, Hostile};

use super::model::Load;
use super::model::{
    Access, Control, Deliver, Each, Expect, Family, Party, Question, Reach, Scenario,
};
use crate::load::ITEMS_MAX;
use crate::probe::{Asker, By};
use crate::source::{LoadError, load};

/// Read a scenario. `path` is its path below `scenarios/`, such as `reach/contracted.yaml`.
pub fn load_scenario(path: &str, text: &str) -> Result<Scenario, LoadError> {
    let mut scenario: Scenario = load(path, text)?;
    scenario.path = path.trim_end_matches(".yaml").to_string();
    let expect_line = line_of(text, "expect:");
    if !fits(&scenario.probe, scenario.expect) {
        let expect = scenario.expect.word();
        let message = format!("`{expect}` is no answer to this kind of question");
        return Err(LoadError::at(path, expect_line, message));
    }
    if let (Question::Reach(reach), Expect::Recorded) = (&scenario.probe, scenario.expect)
        && !is_left_to_the_implementation(reach)
    {
        let message = "only a client to itself, a node to its pods, and an open client through a \
                       node's port or a claimed address may be `recorded`; everything else is \
                       judged";
        return Err(LoadError::at(path, expect_line, message));
    }
    if let Question::Attempt(attempt) = &scenario.probe {
        let is_recorded = scenario.expect == Expect::Recorded;
        let is_open = |object: &&Hostile| object.effect() == Effect::Recorded;
        let wrong = attempt.objects.iter().find(|object| is_open(object) != is_recorded);
        if let Some(object) = wrong {
            let message = match is_recorded {
                true => format!("`{}` is judged, and may not be `recorded`", object.name()),
                false => format!("what `{}` does is in no layout: record it", object.name()),
            };
            return Err(LoadError::at(path, expect_line, message));
        }
    }
    if let Question::Reach(Reach { family: Family::Ipv6, by, .. }) = &scenario.probe
        && by.iter().any(|by| *by != By::Pod)
    {
        let message = "over IPv6 pods are asked at their own address alone: `by: [pod]`";
        return Err(LoadError::at(path, line_of(text, "probe:"), message));
    }
    if let Question::Deliver(Deliver { forge, .. }) = &scenario.probe
        && forge.iter().any(|forge| forge.names_another())
        && scenario.each != Each::EachTenantPair
    {
        let message =
            "what names another's organisation is asked of pairs: `for: each-tenant-pair`";
        return Err(LoadError::at(path, line_of(text, "probe:"), message));
    }
    if let Question::Load(Load { items, signal, .. }) = &scenario.probe
        && (*items == 0
            || *items > ITEMS_MAX
            || signal.is_empty()
            || scenario.each != Each::EachTenant)
    {
        let message = format!(
            "every tenant sends: `for: each-tenant`, at least one signal, and 1 to {ITEMS_MAX} items"
        );
        return Err(LoadError::at(path, line_of(text, "probe:"), message));
    }
    for control in required(scenario.expect) {
        if !scenario.controls.contains(control) {
            let message = format!(
                "the expectation `{}` needs the control `{}`",
                kebab(scenario.expect),
                kebab(*control)
            );
            return Err(LoadError::at(path, expect_line, message)
                .with_hint("a deny without proof is not a pass: list it under `controls`"));
        }
    }
    Ok(scenario)
}

/// Whether Kubernetes leaves it to the network plugin what policies do here: with a pod's own
/// traffic, with a node's to the pods on it, and with traffic that may come by a node's address in
/// place of the client's.
fn is_left_to_the_implementation(reach: &Reach) -> bool {
    let by_the_node = |by: &By| matches!(by, By::NodePort | By::ExternalIp);
    reach.to == Party::Itself
        || reach.from == Party::Nodes
        || (reach.from == Party::Open && reach.by.iter().all(by_the_node))
}

/// The controls without which an expectation is refused.
const fn required(expect: Expect) -> &'static [Control] {
    match expect {
        Expect::Denied => &[Control::ClientReachesAllowed, Control::AllowedClientReaches],
        Expect::OwnOrgOnly | Expect::NoOtherOrg => &[Control::Fence],
        Expect::Unauthorized | Expect::Refused => &[Control::WithOrg],
        Expect::Contained => &[
            Control::AcceptedFromAdministrator,
            Control::ClientReachesAllowed,
            Control::AllowedClientReaches,
            Control::Receipt,
        ],
        Expect::Reached | Expect::Recorded | Expect::Sealed => &[],
    }
}

const fn fits(question: &Question, expect: Expect) -> bool {
    match question {
        Question::Reach(_) => {
            matches!(expect, Expect::Reached | Expect::Denied | Expect::Recorded)
        }
        Question::Secret(_) => matches!(expect, Expect::Sealed),
        Question::Deliver(question) if question.forge.is_empty() => {
            matches!(expect, Expect::OwnOrgOnly)
        }
        Question::Deliver(_) => matches!(expect, Expect::NoOtherOrg),
        Question::Load(_) => matches!(expect, Expect::OwnOrgOnly),
        Question::Access(Access { by: Asker::Nobody, .. }) => {
            matches!(expect, Expect::Unauthorized)
        }
        Question::Access(Access { by: Asker::TwoOrganisations, .. }) => {
            matches!(expect, Expect::Refused)
        }
        Question::DataSources(_) => matches!(expect, Expect::OwnOrgOnly),
        Question::Dns(_) => matches!(expect, Expect::Recorded),
        Question::Attempt(_) => matches!(expect, Expect::Contained | Expect::Recorded),
    }
}

fn line_of(text: &str, key: &str) -> u64 {
    let index = text.lines().position(|line| line.starts_with(key)).unwrap_or(0);
    index as u64 + 1
}

fn kebab(value: impl std::fmt::Debug) -> String {
    let mut words = String::new();
    for letter in format!("{value:?}").chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push('-');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENIED: &str = "\
claim: a tenant cannot reach another
because: default deny
for: each-tenant-pair
probe: {reach: {from: \"{tenant}\", to: \"{other}\", by: [pod, service]}}
expect: denied
";

    #[test]
    fn refuses_a_deny_without_controls() {
        let error = load_scenario("isolation/x.yaml", DENIED).unwrap_err();
        insta::assert_snapshot!(error.to_string());
    }

    #[test]
    fn accepts_a_deny_with_controls() {
        let text = format!(
            "{DENIED}controls: [client-reaches-allowed, allowed-client-reaches, receipt]\n"
        );
        let scenario = load_scenario("isolation/x.yaml", &text).unwrap();
        assert_eq!(scenario.path, "isolation/x");
    }

    #[test]
    fn refuses_an_unknown_key_with_its_line() {
        let text = format!("{DENIED}expects: denied\n");
        let error = load_scenario("isolation/x.yaml", &text).unwrap_err();
        assert_eq!(error.location.line, 6, "{error}");
    }

    #[test]
    fn refuses_to_record_what_must_be_judged() {
        let text = DENIED.replace("expect: denied", "expect: recorded");
        assert!(load_scenario("isolation/x.yaml", &text).is_err());
    }

    #[test]
    fn refuses_a_load_that_is_not_everybodys() {
        let text = "claim: x\nbecause: y\nfor: each-tenant\n\
                    probe: {load: {signal: [log, metric], over: [grpc, http], items: 10}}\n\
                    expect: own-org-only\ncontrols: [fence]\n";
        assert!(load_scenario("telemetry/x.yaml", text).is_ok());
        let wrong = [
            ("for: each-tenant\n", ""),
            ("items: 10", "items: 0"),
            ("items: 10", "items: 60001"),
            ("[log, metric]", "[]"),
            ("own-org-only", "no-other-org"),
            ("controls: [fence]", "controls: []"),
        ];
        for (from, to) in wrong {
            let changed = text.replace(from, to);
            assert!(load_scenario("telemetry/x.yaml", &changed).is_err(), "{to}");
        }
    }

    #[test]
    fn refuses_an_expectation_of_another_question() {
        let text = "claim: x\nbecause: y\nprobe: {deliver: {signal: log}}\nexpect: reached\n";
        assert!(load_scenario("telemetry/x.yaml", text).is_err());
    }

    #[test]
    fn an_expectation_is_named_as_a_scenario_file_writes_it() {
        let all = [
            Expect::Reached,
            Expect::Denied,
            Expect::Recorded,
            Expect::Sealed,
            Expect::OwnOrgOnly,
            Expect::NoOtherOrg,
            Expect::Unauthorized,
            Expect::Refused,
            Expect::Contained,
        ];
        for expect in all {
            assert_eq!(serde_json::to_value(expect).unwrap(), expect.word());
        }
    }
}
