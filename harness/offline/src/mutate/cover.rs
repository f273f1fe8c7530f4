//! The fewest mutants that show every scenario and every operator at work.

use std::collections::BTreeSet;

use partywall_core::event::{Fate, MutantResult};

/// Places of a small set of mutants by which every operator, and every scenario that kills
/// anything, is seen: greedy, the one that shows most first.
pub fn covering(results: &[MutantResult], can_run: impl Fn(&MutantResult) -> bool) -> Vec<usize> {
    let shown: Vec<BTreeSet<String>> = results
        .iter()
        .map(|result| if can_run(result) { shows(result) } else { BTreeSet::new() })
        .collect();
    let mut open: BTreeSet<String> = shown.iter().flatten().cloned().collect();
    let mut chosen = Vec::new();
    while !open.is_empty() {
        let gain = |index: &usize| shown[*index].intersection(&open).count();
        // Of equals the first is taken, so that a run can be repeated.
        let best = (0..results.len()).max_by_key(|index| (gain(index), usize::MAX - index));
        let Some(best) = best.filter(|index| gain(index) > 0) else { break };
        open.retain(|one| !shown[best].contains(one));
        chosen.push(best);
    }
    chosen.sort_unstable();
    chosen
}

/// The operator, and whatever scenario kills it.
fn shows(result: &MutantResult) -> BTreeSet<String> {
    let Fate::Killed { by, trial, also, .. } = &result.offline else {
        return BTreeSet::new();
    };
    let is_scenario = |name: &&String| name.contains('/');
    let mut shown: BTreeSet<String> =
        also.iter().chain(trial.as_ref().map(|_| by)).filter(is_scenario).cloned().collect();
    shown.insert(format!("operator {}", result.operator));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use partywall_core::source::SourceLocation;

    fn killed(operator: &str, by: &[&str]) -> MutantResult {
        MutantResult {
            name: operator.to_string(),
            operator: operator.to_string(),
            change: String::new(),
            location: SourceLocation::new("a.yaml", 1),
            offline: Fate::Killed {
                by: by[0].to_string(),
                trial: Some("t".to_string()),
                reason: String::new(),
                also: by[1..].iter().map(ToString::to_string).collect(),
            },
            live: Fate::NotRun { reason: String::new() },
        }
    }

    #[test]
    fn the_one_that_shows_most_goes_first_and_nothing_twice() {
        let results = [
            killed("one", &["isolation/a"]),
            killed("one", &["isolation/a", "reach/b", "reach/c"]),
            killed("two", &["reach/c"]),
            killed("two", &["reach/b"]),
        ];
        assert_eq!(covering(&results, |_| true), [1, 2]);
        assert_eq!(covering(&results, |result| result.operator == "two"), [2, 3]);
    }

    #[test]
    fn what_lives_shows_nothing() {
        let mut result = killed("one", &["isolation/a"]);
        result.offline = Fate::Survived { reason: String::new() };
        assert_eq!(covering(&[result], |_| true), Vec::<usize>::new());
    }
}
