//! The rules of a run: what could have been found, each once.

use super::log::{Configuration, Level, Rule, Text};
use super::run::NOT_JUDGED;
use crate::failures::clean_defect;
use crate::text::{clean, replace_words};
use crate::view::{RunView, TrialView};

/// The rules, in the order of their first trial or defect.
pub(super) struct Rules {
    pub all: Vec<Rule>,
}

impl Rules {
    /// Every scenario that was judged, every name of a defect, and the rule of what is not
    /// judged where there is any.
    pub fn of(view: &RunView<'_>) -> Self {
        let mut rules = Self { all: Vec::new() };
        for trial in &view.trials {
            let claim = claim(trial, &view.tenants);
            rules.add(clean(trial.scenario), claim.clone(), claim, Level::Error);
        }
        for defect in view.defects.iter().map(|defect| clean_defect(defect)) {
            let full = format!("The layout has a defect: {}", defect.summary);
            rules.add(defect.name, defect.summary, full, Level::Error);
        }
        if !view.not_judged.is_empty() {
            let short = "part of the layout is not judged";
            let full = "The backend does not know how to judge this, so that the run cannot hold";
            rules.add(NOT_JUDGED.to_string(), short.to_string(), full.to_string(), Level::Note);
        }
        rules
    }

    /// The place of a rule.
    pub fn index(&self, id: &str) -> usize {
        self.all.iter().position(|rule| rule.id == id).unwrap_or_default()
    }

    fn add(&mut self, id: String, short: String, full: String, level: Level) {
        if self.all.iter().any(|rule| rule.id == id) {
            return;
        }
        self.all.push(Rule {
            id,
            short_description: Text::new(short),
            full_description: Text::new(full),
            default_configuration: Configuration { level },
        });
    }
}

/// The claim of a scenario, from that of one of its trials: without the names of tenants.
fn claim(trial: &TrialView<'_>, tenants: &[&str]) -> String {
    replace_words(&clean(trial.claim), |word| match word {
        word if Some(word) == trial.tenant => Some("a tenant"),
        word if tenants.contains(&word) => Some("another tenant"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use partywall_core::verdict::Verdict;
    use rstest::rstest;

    #[rstest]
    #[case("a reaches no pod of b", "a tenant reaches no pod of another tenant")]
    #[case("a's own wall stands on a-b", "a tenant's own wall stands on a-b")]
    #[case("", "")]
    fn a_rule_names_no_tenant(#[case] of_trial: &str, #[case] of_rule: &str) {
        let trial = TrialView {
            name: "",
            claim: of_trial,
            scenario: "",
            tenant: Some("a"),
            verdict: &Verdict::holds(),
            elapsed_ms: 0,
            blame: None,
            repeat: "",
            cells: Vec::new(),
        };
        assert_eq!(claim(&trial, &["a", "b"]), of_rule);
    }
}
