//! Experiments whose outcome is known beforehand: the meter itself is on trial.

use partywall_core::event::{EdgeExposure, Event, Experiment};
use partywall_core::exposure::Finding;

use super::plan::Trial;

/// What an experiment did not show although it had to, in sentences; `wrong` is what the files say
/// of the order in which workloads and policies come.
pub fn surprises(events: &[Event], wrong: Option<&Finding>) -> Vec<String> {
    let experiments = events.iter().filter_map(|event| match event {
        Event::ExperimentFinished(experiment) => Some(experiment),
        _ => None,
    });
    experiments.filter_map(|experiment| surprise(experiment, wrong)).collect()
}

fn surprise(experiment: &Experiment, wrong: Option<&Finding>) -> Option<String> {
    let name = &experiment.name;
    let was_open = experiment.edges.iter().any(is_leak);
    let found = experiment.finding.as_ref();
    if *name == Trial::TenantBorn.name()
        && let Some(wrong) = wrong
    {
        let told = found.is_some_and(|one| one.name == wrong.name && one.location.is_some());
        return (!(was_open && told)).then(|| {
            format!("{name}: the files say `{}`, and no edge was seen open for it", wrong.name)
        });
    }
    if let Some(found) = found {
        return Some(format!("{name}: {}: {}", found.name, found.message));
    }
    let must_open = *name == Trial::PolicyRemoved.name();
    (must_open && !was_open)
        .then(|| format!("{name}: no edge was seen open while there were no policies"))
}

fn is_leak(edge: &EdgeExposure) -> bool {
    edge.forbidden && edge.against_us > 0
}

#[cfg(test)]
mod tests {
    use partywall_core::event::Defect;
    use partywall_core::source::SourceLocation;
    use rstest::rstest;

    use super::*;

    const ORDER: &str = "workload-before-policy";

    fn experiment(name: &str, against_us: u64, found: Option<&str>) -> Event {
        let edge = EdgeExposure {
            from: "a/x".to_string(),
            to: "b/y 1/TCP".to_string(),
            forbidden: true,
            probes: 100,
            reached: 1,
            lost: 0,
            against_us,
            intervals: Vec::new(),
            versions: None,
        };
        Event::ExperimentFinished(Experiment {
            name: name.to_string(),
            summary: String::new(),
            layout: String::new(),
            commit: None,
            network_plugin: String::new(),
            rate_per_second: 50,
            elapsed_us: 1,
            moments: Vec::new(),
            edges: vec![edge],
            finding: found.map(|name| Defect {
                name: name.to_string(),
                summary: String::new(),
                object: String::new(),
                message: String::new(),
                location: Some(SourceLocation::new("flux.yaml", 1)),
                behind: None,
            }),
        })
    }

    #[rstest]
    #[case::a_real_window("policy-removed", 5, None, None, 0)]
    #[case::a_blind_meter("policy-removed", 0, None, None, 1)]
    #[case::open_beyond_the_change("policy-removed", 5, Some("open-beyond-the-change"), None, 1)]
    #[case::born_behind_walls("tenant-born", 0, None, None, 0)]
    #[case::born_in_the_open("tenant-born", 5, Some(ORDER), None, 1)]
    #[case::the_files_said_so("tenant-born", 5, Some(ORDER), Some(ORDER), 0)]
    #[case::the_files_said_so_for_nothing("tenant-born", 0, None, Some(ORDER), 1)]
    fn what_is_known_must_be_seen(
        #[case] name: &str,
        #[case] against_us: u64,
        #[case] found: Option<&str>,
        #[case] wrong: Option<&str>,
        #[case] expected: usize,
    ) {
        let wrong = wrong.map(|name| Finding {
            name: name.to_string(),
            summary: String::new(),
            object: String::new(),
            location: None,
        });
        let told = surprises(&[experiment(name, against_us, found)], wrong.as_ref());
        assert_eq!(told.len(), expected, "{told:?}");
    }
}
