//! What a probe saw, in words for the reader of a proof.

use partywall_core::event::Evidence;
use partywall_core::observation::{
    AccessObservation, AttemptAnswer, AttemptControl, AttemptObservation, DeliverObservation,
    LoadObservation, Observation, OrgSight, Outcome, ReachObservation, ReadObservation, ReadSight,
    ReceiptState, SourcesObservation,
};

/// What an observation is evidence of; `None` where its verdict's reason says all.
pub(crate) fn evidence(observation: &Observation) -> Option<Evidence> {
    match observation {
        Observation::Reach(seen) => Some(of_reach(seen)),
        Observation::Deliver(seen) => Some(of_deliver(seen)),
        Observation::Load(seen) => Some(of_load(seen)),
        Observation::Access(seen) => Some(of_access(seen)),
        Observation::Read(seen) => Some(of_read(seen)),
        Observation::Sources(seen) => Some(of_sources(seen)),
        _ => None,
    }
}

fn of_reach(seen: &ReachObservation) -> Evidence {
    let is_computed = seen.receipt == ReceiptState::Computed;
    Evidence {
        outcome: outcome_word(seen.outcome).to_string(),
        receipt: receipt_words(&seen.receipt),
        elapsed_us: (!is_computed).then_some(seen.elapsed_us),
    }
}

fn of_deliver(seen: &DeliverObservation) -> Evidence {
    let named = |is_shown: fn(&OrgSight) -> bool| {
        let names = seen.orgs.iter().filter(|(_, sight)| is_shown(sight));
        let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
        if names.is_empty() { "no organisation".to_string() } else { names.join(", ") }
    };
    Evidence {
        outcome: format!("marker in {}", named(|sight| sight.marker)),
        receipt: format!("fence in {}", named(|sight| sight.fence)),
        elapsed_us: seen.visible_us,
    }
}

fn of_load(seen: &LoadObservation) -> Evidence {
    let found = seen.orgs.iter().filter(|(_, sight)| sight.found > 0);
    let found: Vec<String> =
        found.map(|(org, sight)| format!("{} found in {org}", sight.found)).collect();
    let found = if found.is_empty() { "none found".to_string() } else { found.join(", ") };
    let fences = seen.orgs.iter().filter(|(_, sight)| sight.fence);
    let fences: Vec<&str> = fences.map(|(org, _)| org.as_str()).collect();
    let fences = if fences.is_empty() { "no organisation".to_string() } else { fences.join(", ") };
    let together =
        seen.together_us.map(|us| format!("; all tenants sent together for {} ms", us / 1000));
    Evidence {
        outcome: format!("{} sent, {} accepted, {found}", seen.sent, seen.accepted),
        receipt: format!("fence in {fences}{}", together.unwrap_or_default()),
        elapsed_us: seen.visible_us,
    }
}

fn of_access(seen: &AccessObservation) -> Evidence {
    let status = |status: Option<u16>| {
        status.map_or_else(|| "no answer".to_string(), |status| format!("HTTP {status}"))
    };
    Evidence {
        outcome: status(seen.status),
        receipt: format!("{} with an organisation", status(seen.control_status)),
        elapsed_us: None,
    }
}

fn of_read(seen: &ReadObservation) -> Evidence {
    let those = |is_it: fn(&ReadSight) -> bool| {
        names(seen.orgs.iter().filter(|(_, sight)| is_it(sight)).map(|(org, _)| org.as_str()))
    };
    let status = seen.status.map_or_else(|| "no answer".to_string(), |one| format!("HTTP {one}"));
    Evidence {
        outcome: format!("{status}, shows {}", those(|sight| sight.shown)),
        receipt: format!("asked alone, shown {}", those(|sight| sight.alone)),
        elapsed_us: None,
    }
}

fn of_sources(seen: &SourcesObservation) -> Evidence {
    // Those of the other store are not read.
    let shown = seen.sources.iter().filter(|one| one.status.is_some()).map(|one| {
        let shown = names(one.shown.iter().map(String::as_str));
        format!("`{}` shows {shown}", one.source.name)
    });
    let there = seen.markers.iter().filter(|(_, is_there)| **is_there);
    let shown: Vec<String> = shown.collect();
    Evidence {
        outcome: if shown.is_empty() { "no data source".to_string() } else { shown.join(", ") },
        receipt: format!("markers in {}", names(there.map(|(org, _)| org.as_str()))),
        elapsed_us: None,
    }
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "no organisation".to_string() } else { names.join(", ") }
}

fn receipt_words(receipt: &ReceiptState) -> String {
    match receipt {
        ReceiptState::Present => "the server has the nonce".to_string(),
        ReceiptState::Accepted => "the server accepted the connection".to_string(),
        ReceiptState::Absent => "no server has the nonce".to_string(),
        ReceiptState::NoServer => "no server of the target is ours".to_string(),
        ReceiptState::Computed => String::new(),
        ReceiptState::Unknown { detail } => format!("not known: {detail}"),
    }
}

pub(crate) const fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Reached => "reached",
        Outcome::Refused => "refused",
        Outcome::Dropped => "dropped",
        Outcome::Unresolved => "unresolved",
        Outcome::ProbeError => "probe error",
    }
}

/// What a hostile object came to with every identity, and what gives its refusal a meaning.
pub(crate) fn attempted(seen: &AttemptObservation) -> String {
    let mut told: Vec<(String, Vec<String>, &str)> = Vec::new();
    for trying in &seen.tried {
        let (word, message) = match &trying.answer {
            AttemptAnswer::Refused { layer, message } => {
                (format!("refused by {}", layer.word()), message.as_str())
            }
            AttemptAnswer::Applied => ("applied".to_string(), ""),
            AttemptAnswer::Unknown { detail } => ("not known".to_string(), detail.as_str()),
        };
        let identity = trying.identity.to_string();
        match told.iter_mut().find(|(known, ..)| *known == word) {
            Some((_, identities, _)) => identities.push(identity),
            None => told.push((word, vec![identity], message)),
        }
    }
    // One message of a layer stands for all: those of rights differ in the account alone.
    let told = told.into_iter().map(|(word, identities, message)| {
        let message = if message.is_empty() { String::new() } else { format!(": {message}") };
        format!("{word} as {}{message}", identities.join(", "))
    });
    let is_applied = seen.tried.iter().any(|one| one.answer == AttemptAnswer::Applied);
    let control = match &seen.control {
        _ if is_applied => None,
        AttemptControl::Accepted => Some("accepted from the administrator".to_string()),
        AttemptControl::Innocent => {
            Some("without its hostile part accepted from the administrator".to_string())
        }
        AttemptControl::Computed => None,
        AttemptControl::Failed { detail } => {
            Some(format!("refused to the administrator too: {detail}"))
        }
    };
    let words: Vec<String> =
        std::iter::once(seen.object.clone()).chain(told).chain(control).collect();
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_probe_says_what_came_and_what_the_server_has() {
        let seen = ReachObservation {
            outcome: Outcome::Dropped,
            echoed: false,
            receipt: ReceiptState::Absent,
            elapsed_us: 401_000,
            detail: String::new(),
        };
        let told = evidence(&Observation::Reach(seen.clone())).unwrap();
        assert_eq!((told.outcome.as_str(), told.elapsed_us), ("dropped", Some(401_000)));
        assert_eq!(told.receipt, "no server has the nonce");
        let computed = ReachObservation { receipt: ReceiptState::Computed, ..seen };
        let told = evidence(&Observation::Reach(computed)).unwrap();
        assert_eq!((told.receipt.as_str(), told.elapsed_us), ("", None));
    }

    #[test]
    fn a_marker_says_where_it_and_its_fence_are() {
        let own = OrgSight { marker: true, fence: true };
        let other = OrgSight { marker: false, fence: true };
        let seen = DeliverObservation {
            accepted: true,
            outcome: Outcome::Reached,
            sender: "a/x".to_string(),
            detail: String::new(),
            orgs: BTreeMap::from([("a".to_string(), own), ("b".to_string(), other)]),
            visible_us: Some(300_000),
        };
        let told = evidence(&Observation::Deliver(seen)).unwrap();
        assert_eq!(
            (told.outcome.as_str(), told.receipt.as_str(), told.elapsed_us),
            ("marker in a", "fence in a, b", Some(300_000))
        );
    }
}
