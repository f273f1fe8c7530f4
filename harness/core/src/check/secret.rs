//! Judging secrets: hashes, never values.

use std::collections::BTreeMap;

use crate::observation::{FileOpening, SecretObservation};
use crate::probe::{SecretAsk, SecretProbe};
use crate::verdict::Verdict;

/// What kustomize-controller says when no identity of the given key opens a file.
const WRONG_KEY_MESSAGE: &str = "cannot get sops data key";

pub(super) fn judge(probe: &SecretProbe, seen: &SecretObservation) -> Verdict {
    match (probe.ask, seen) {
        (SecretAsk::ArrivesDecrypted, SecretObservation::Arrived { expected, seen }) => {
            arrived(expected, seen)
        }
        (SecretAsk::OpensWithOwnKeyOnly, SecretObservation::Openings { tenants, files }) => {
            openings(&probe.tenant.name, tenants, files)
        }
        (
            SecretAsk::RefusesWrongKey,
            SecretObservation::Status { object, reason, message, control_ready },
        ) => wrong_key(object, reason, message, *control_ready),
        (SecretAsk::RefusesWrongKey, SecretObservation::NoDecryption { object }) => {
            Verdict::violated(format!("{object} does not decrypt with the tenant's own key"))
        }
        (SecretAsk::NothingReadableInGit, SecretObservation::Scan { files, findings }) => {
            match (files, findings.first()) {
                (0, _) => Verdict::undetermined("no file was read"),
                (_, None) => Verdict::holds(),
                (_, Some((place, what))) => {
                    Verdict::violated(format!("{what} at {place} ({} in all)", findings.len()))
                }
            }
        }
        _ => Verdict::undetermined("the answer is of another kind than the question"),
    }
}

/// Value path to hash, per file or Secret.
type Hashes = BTreeMap<String, BTreeMap<String, String>>;

/// Every file that went in must be one Secret of the cluster, value for value.
fn arrived(expected: &Hashes, seen: &Hashes) -> Verdict {
    if expected.values().all(BTreeMap::is_empty) {
        return Verdict::undetermined("the session knows nothing that went in");
    }
    for (file, values) in expected {
        if seen.values().any(|found| found == values) {
            continue;
        }
        let names = seen.keys().cloned().collect::<Vec<_>>().join(", ");
        let mut differing = seen.values().filter_map(|found| {
            values.iter().find(|(path, hash)| found.get(*path) != Some(hash)).map(|(path, _)| path)
        });
        return Verdict::violated(match differing.next_back() {
            Some(path) => format!(
                "entry `{path}` of Secret {names} differs from what went in by {file} (by SHA-256)"
            ),
            None => format!("no Secret among [{names}] is exactly what went in by {file}"),
        });
    }
    Verdict::holds()
}

fn openings(tenant: &str, tenants: &[String], files: &[FileOpening]) -> Verdict {
    if files.is_empty() {
        return Verdict::undetermined(format!("tenant {tenant} has no encrypted file"));
    }
    for opening in files {
        let file = &opening.file;
        if let Some(place) = opening.readable.first() {
            return Verdict::violated(format!("a value at {place} is not encrypted"));
        }
        if let Some(other) = opening.opened_by.iter().find(|name| *name != tenant) {
            return Verdict::violated(format!("the key of {other} opens {file} of {tenant}"));
        }
        if let Some((place, who)) = opening.strangers.first() {
            return Verdict::violated(format!(
                "{file} is sealed to {who} ({place}), who is nobody of the contract"
            ));
        }
        if !opening.opened_by.iter().any(|name| name == tenant) {
            let why = opening.refused.get(tenant).map_or("it was not tried", String::as_str);
            return Verdict::undetermined(format!(
                "{tenant}'s own key does not open {file}: {why}"
            ));
        }
        let tried = |name: &&String| opening.refused.contains_key(*name) || *name == tenant;
        if let Some(untried) = tenants.iter().find(|name| !tried(name)) {
            return Verdict::undetermined(format!("the key of {untried} was not tried on {file}"));
        }
        if opening.refused.is_empty() {
            return Verdict::undetermined(format!("no other key was tried on {file}"));
        }
        if opening.sealed == 0 {
            return Verdict::undetermined(format!("{file} holds no encrypted value"));
        }
    }
    Verdict::holds()
}

fn wrong_key(object: &str, reason: &str, message: &str, control_ready: bool) -> Verdict {
    if !control_ready {
        return Verdict::undetermined(
            "the tenant's own Kustomization is not ready with its own key",
        );
    }
    if reason == "BuildFailed" && message.contains(WRONG_KEY_MESSAGE) {
        return Verdict::holds();
    }
    if reason.is_empty() {
        return Verdict::undetermined(format!("{object} has no Ready condition yet"));
    }
    Verdict::violated(format!(
        "{object} with a wrong key: expected BuildFailed with `{WRONG_KEY_MESSAGE}`, \
         saw {reason}: {message}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceLocation;
    use rstest::rstest;

    fn opening(opened_by: &[&str], refused: &[&str], sealed: usize) -> FileOpening {
        FileOpening {
            file: "customers/a/secrets.yaml".to_string(),
            opened_by: opened_by.iter().map(ToString::to_string).collect(),
            refused: refused
                .iter()
                .map(|name| (name.to_string(), "no match".to_string()))
                .collect(),
            readable: Vec::new(),
            sealed,
            strangers: Vec::new(),
        }
    }

    #[test]
    fn a_stranger_among_the_recipients_is_a_violation() {
        let place = SourceLocation::new("customers/a/secrets.yaml", 9);
        let strangers = vec![(place, "age1stranger".to_string())];
        let opening = FileOpening { strangers, ..opening(&["a"], &["b"], 2) };
        let tenants = ["a".to_string(), "b".to_string()];
        assert_eq!(openings("a", &tenants, &[opening]).word(), "violated");
    }

    #[rstest]
    #[case::own_key_only(opening(&["a"], &["b"], 2), "holds")]
    #[case::foreign_key_opens(opening(&["a", "b"], &[], 2), "violated")]
    #[case::own_key_fails(opening(&[], &["a", "b"], 2), "undetermined")]
    #[case::nobody_else_tried(opening(&["a"], &[], 2), "undetermined")]
    #[case::nothing_sealed(opening(&["a"], &["b"], 0), "undetermined")]
    fn judges_openings(#[case] opening: FileOpening, #[case] expected: &str) {
        let tenants = ["a".to_string(), "b".to_string()];
        assert_eq!(openings("a", &tenants, &[opening]).word(), expected);
    }

    #[rstest]
    #[case("BuildFailed", "x: cannot get sops data key with any", true, "holds")]
    #[case("BuildFailed", "kustomization.yaml is missing", true, "violated")]
    #[case("ReconciliationSucceeded", "Applied revision", true, "violated")]
    #[case("BuildFailed", "cannot get sops data key", false, "undetermined")]
    #[case("", "", true, "undetermined")]
    fn judges_the_wrong_key(
        #[case] reason: &str,
        #[case] message: &str,
        #[case] control: bool,
        #[case] expected: &str,
    ) {
        assert_eq!(wrong_key("flux-system/x", reason, message, control).word(), expected);
    }

    #[test]
    fn no_expectation_is_no_pass() {
        assert_eq!(arrived(&Hashes::new(), &Hashes::new()).word(), "undetermined");
    }

    fn hashes(source: &str, values: &[(&str, &str)]) -> Hashes {
        let values = values.iter().map(|(path, hash)| (path.to_string(), hash.to_string()));
        Hashes::from([(source.to_string(), values.collect())])
    }

    #[test]
    fn one_file_must_not_stand_for_another() {
        let mut expected = hashes("one.yaml", &[("password", "1")]);
        expected.extend(hashes("two.yaml", &[("password", "2")]));
        let mut seen = hashes("a/one", &[("password", "2")]);
        assert_eq!(arrived(&expected, &seen).word(), "violated");
        seen.extend(hashes("a/two", &[("password", "1")]));
        assert_eq!(arrived(&expected, &seen).word(), "holds");
    }
}
