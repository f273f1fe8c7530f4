//! Reading a scenario, and refusing one that could pass without proof.

use super::model::{Control, Expect, Party, Question, Scenario};
use crate::source::{LoadError, load};

/// Read a scenario. `path` is its path below `scenarios/`, such as `reach/contracted.yaml`.
pub fn load_scenario(path: &str, text: &str) -> Result<Scenario, LoadError> {
    let mut scenario: Scenario = load(path, text)?;
    scenario.path = path.trim_end_matches(".yaml").to_string();
    let expect_line = line_of(text, "expect:");
    if !fits(&scenario.probe, scenario.expect) {
        let message = format!("`{:?}` is no answer to this kind of question", scenario.expect);
        return Err(LoadError::at(path, expect_line, message));
    }
    if let (Question::Reach(reach), Expect::Recorded) = (&scenario.probe, scenario.expect)
        && reach.to != Party::Itself
    {
        let message = "only a client to itself may be `recorded`; everything else is judged";
        return Err(LoadError::at(path, expect_line, message));
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

/// The controls without which an expectation is refused.
const fn required(expect: Expect) -> &'static [Control] {
    match expect {
        Expect::Denied => &[Control::ClientReachesAllowed, Control::AllowedClientReaches],
        Expect::OwnOrgOnly => &[Control::Fence],
        Expect::Unauthorized => &[Control::WithOrg],
        Expect::Reached | Expect::Recorded | Expect::Sealed => &[],
    }
}

const fn fits(question: &Question, expect: Expect) -> bool {
    match question {
        Question::Reach(_) => {
            matches!(expect, Expect::Reached | Expect::Denied | Expect::Recorded)
        }
        Question::Secret(_) => matches!(expect, Expect::Sealed),
        Question::Deliver(_) => matches!(expect, Expect::OwnOrgOnly),
        Question::Access(_) => matches!(expect, Expect::Unauthorized),
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
    fn refuses_an_expectation_of_another_question() {
        let text = "claim: x\nbecause: y\nprobe: {deliver: {signal: log}}\nexpect: reached\n";
        assert!(load_scenario("telemetry/x.yaml", text).is_err());
    }
}
