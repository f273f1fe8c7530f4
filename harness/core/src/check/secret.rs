//! Judging secrets: hashes, never values.

use std::collections::BTreeMap;

use crate::observation::{
    CopyFate, FileCopy, FileOpening, FileSeal, SealState, SearchedPlace, SecretObservation,
};
use crate::probe::{SecretAsk, SecretProbe};
use crate::source::SourceLocation;
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
        (
            SecretAsk::NothingReadableInGit | SecretAsk::NothingReadableInHistory,
            SecretObservation::Scan { files, findings },
        ) => scan(*files, findings),
        (SecretAsk::AsSealed, SecretObservation::Seals { files }) => {
            as_sealed(&probe.tenant.name, files)
        }
        (SecretAsk::RefusesNeighboursFile, SecretObservation::Copies { opens_own, copies }) => {
            neighbours(&probe.tenant.name, *opens_own, copies)
        }
        (SecretAsk::CanariesStayPut, SecretObservation::Searched { canaries, places }) => {
            searched(&probe.tenant.name, *canaries, places)
        }
        _ => Verdict::undetermined("the answer is of another kind than the question"),
    }
}

/// A value that was found is a breach, whatever else is not known. That none was found means
/// something only where the same search found what the harness had planted.
fn searched(tenant: &str, canaries: usize, places: &[SearchedPlace]) -> Verdict {
    if let Some((place, found)) = places.iter().find_map(|one| Some((one, one.found.first()?))) {
        let count: usize = places.iter().map(|place| place.found.len()).sum();
        return Verdict::violated(format!(
            "a secret value of {tenant} stands in {}: {found} ({count} in all)",
            place.place
        ));
    }
    if canaries == 0 {
        return Verdict::undetermined(format!("{tenant} has no value that is its own"));
    }
    for place in places {
        if let Some(blind) = &place.blind {
            return Verdict::undetermined(format!("{}: {blind}", place.place));
        }
        if place.read == 0 {
            return Verdict::undetermined(format!("{}: nothing was read", place.place));
        }
    }
    match places.is_empty() {
        true => Verdict::undetermined("nothing was searched"),
        false => Verdict::holds(),
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

fn scan(files: usize, findings: &[(SourceLocation, String)]) -> Verdict {
    match (files, findings.first()) {
        (0, _) => Verdict::undetermined("no file was read"),
        (_, None) => Verdict::holds(),
        (_, Some((place, what))) => {
            Verdict::violated(format!("{what} at {place} ({} in all)", findings.len()))
        }
    }
}

fn as_sealed(tenant: &str, files: &[FileSeal]) -> Verdict {
    let mut unknown = None;
    for FileSeal { location, state } in files {
        match state {
            SealState::Whole => {}
            SealState::Changed { detail } => {
                return Verdict::violated(format!("{location}: {detail}"));
            }
            SealState::Missing => {
                return Verdict::violated(format!(
                    "{location}: the file has no MAC, so nobody can tell whether it was changed"
                ));
            }
            SealState::Unknown { detail } => {
                unknown = unknown.or_else(|| Some(format!("{location}: {detail}")));
            }
        }
    }
    match (files.is_empty(), unknown) {
        (true, _) => Verdict::undetermined(format!("tenant {tenant} has no encrypted file")),
        (false, Some(why)) => Verdict::undetermined(why),
        (false, None) => Verdict::holds(),
    }
}

/// A copy that was opened is a breach, whatever else is not known.
fn neighbours(tenant: &str, opens_own: bool, copies: &[FileCopy]) -> Verdict {
    for copy in copies {
        if let CopyFate::Opened { detail } = &copy.fate {
            return Verdict::violated(format!(
                "a copy of {} of {} in the folder of {tenant} is opened: {detail}",
                copy.file, copy.owner
            ));
        }
    }
    if copies.is_empty() {
        return Verdict::undetermined(format!("nobody but {tenant} has a sealed file"));
    }
    if !opens_own {
        return Verdict::undetermined(format!(
            "the Kustomization of {tenant} does not open the tenant's own file, so that it opens \
             no other's tells nothing"
        ));
    }
    for copy in copies {
        if let CopyFate::Unknown { detail } = &copy.fate {
            return Verdict::undetermined(format!("{} of {}: {detail}", copy.file, copy.owner));
        }
    }
    Verdict::holds()
}

#[cfg(test)]
mod tests {
    use super::*;
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

    #[rstest]
    #[case::opened(true, &["opened", "refused"], "violated")]
    #[case::opened_without_control(false, &["refused", "opened"], "violated")]
    #[case::opened_beside_unknown(true, &["unknown", "opened"], "violated")]
    #[case::refused(true, &["refused", "refused"], "holds")]
    #[case::no_control(false, &["refused"], "undetermined")]
    #[case::unknown(true, &["refused", "unknown"], "undetermined")]
    #[case::nobody(true, &[], "undetermined")]
    fn judges_copies(#[case] opens_own: bool, #[case] fates: &[&str], #[case] expected: &str) {
        let detail = "x".to_string();
        let copy = |fate: &&str| FileCopy {
            owner: "b".to_string(),
            file: "customers/b/secrets.yaml".to_string(),
            fate: match *fate {
                "opened" => CopyFate::Opened { detail: detail.clone() },
                "refused" => CopyFate::Refused { detail: detail.clone() },
                _ => CopyFate::Unknown { detail: detail.clone() },
            },
        };
        let copies: Vec<FileCopy> = fates.iter().map(copy).collect();
        assert_eq!(neighbours("a", opens_own, &copies).word(), expected);
    }

    #[rstest]
    #[case::whole(&["whole", "whole"], "holds")]
    #[case::changed(&["unknown", "changed"], "violated")]
    #[case::missing(&["whole", "missing"], "violated")]
    #[case::unknown(&["whole", "unknown"], "undetermined")]
    #[case::none(&[], "undetermined")]
    fn judges_seals(#[case] states: &[&str], #[case] expected: &str) {
        let detail = "x".to_string();
        let seal = |state: &&str| FileSeal {
            location: SourceLocation::new("customers/a/secrets.yaml", 9),
            state: match *state {
                "whole" => SealState::Whole,
                "changed" => SealState::Changed { detail: detail.clone() },
                "missing" => SealState::Missing,
                _ => SealState::Unknown { detail: detail.clone() },
            },
        };
        let files: Vec<FileSeal> = states.iter().map(seal).collect();
        assert_eq!(as_sealed("a", &files).word(), expected);
    }

    #[rstest]
    #[case::nowhere(3, 9, None, 0, "holds")]
    #[case::somewhere(3, 9, None, 1, "violated")]
    #[case::somewhere_though_blind(0, 9, Some("x"), 1, "violated")]
    #[case::blind(3, 9, Some("the planted one was not found"), 0, "undetermined")]
    #[case::nothing_read(3, 0, None, 0, "undetermined")]
    #[case::nothing_to_look_for(0, 9, None, 0, "undetermined")]
    fn judges_a_search(
        #[case] canaries: usize,
        #[case] read: usize,
        #[case] blind: Option<&str>,
        #[case] found: usize,
        #[case] expected: &str,
    ) {
        let place = SearchedPlace {
            place: "ConfigMaps".to_string(),
            read,
            blind: blind.map(str::to_string),
            found: vec!["ConfigMap b/x.data.y at 3".to_string(); found],
        };
        assert_eq!(searched("a", canaries, &[place]).word(), expected);
        assert_eq!(searched("a", canaries, &[]).word(), "undetermined");
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
