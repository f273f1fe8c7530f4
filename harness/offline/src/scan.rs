//! What lies readable in a layout and should not. Findings name a place and a kind, never a value.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use partywall_core::Layout;
use partywall_core::document::{Document, Item, Node};
use partywall_core::layout::{folder_of, is_yaml};
use partywall_core::source::SourceLocation;

use crate::sops;

/// How many characters after its prefix make an age key, rather than talk about one.
const AGE_KEY_CHARACTERS: usize = 40;
/// `-----BEGIN ` in base64.
const ENCODED_BEGIN: &str = "LS0tLS1CRUdJTi";
/// So many characters of base64 hold the first line of any private key.
const ENCODED_HEADER: usize = 64;

/// Everything in the layout that is readable and should be sealed, in the order of places.
pub fn readable_secrets(layout: &Layout) -> Vec<(SourceLocation, String)> {
    let mut findings = BTreeSet::new();
    for (file, text) in &layout.files {
        findings.extend(private_keys(file, text));
        findings.extend(unsealed_values(file, text));
    }
    for document in &layout.documents {
        let file = &document.location.file;
        for object in objects(&document.root) {
            findings.extend(secret_values(file, object));
            findings.extend(kubeconfig_values(file, object));
        }
        findings.extend(generated(layout, document));
    }
    findings.into_iter().collect()
}

type Finding = (SourceLocation, String);

/// The object itself, or the items of a `List`.
fn objects(root: &Item) -> Vec<&Item> {
    let is_list = root.text(&["kind"]).is_some_and(|kind| kind.ends_with("List"));
    if is_list { root.items(&["items"]).iter().collect() } else { vec![root] }
}

/// Values of a `kind: Secret` that are not sealed.
fn secret_values(file: &str, object: &Item) -> Vec<Finding> {
    if object.text(&["kind"]) != Some("Secret") {
        return Vec::new();
    }
    let name = object.text(&["metadata", "name"]).unwrap_or("without a name");
    let mut findings = Vec::new();
    for part in ["data", "stringData"] {
        for (_, value) in object.entries(&[part]) {
            if let Node::Scalar(text) = &value.node
                && !text.is_empty()
                && !is_sealed_value(text)
            {
                let place = SourceLocation::new(file, value.line);
                findings.push((place, format!("a readable value of Secret `{name}`")));
            }
        }
    }
    findings
}

fn is_sealed_value(text: &str) -> bool {
    text.starts_with("ENC[AES256_GCM,") && text.ends_with(']')
}

/// Values of a sealed file that its own rule wants sealed.
fn unsealed_values(file: &str, text: &str) -> Vec<Finding> {
    if !is_yaml(file) || !sops::is_sealed(text) {
        return Vec::new();
    }
    match sops::readable_leaves(file, text) {
        Ok(places) => places
            .into_iter()
            .map(|place| (place, "a readable value in a sealed file".to_string()))
            .collect(),
        // What cannot be judged is reported, not passed over.
        Err(error) => {
            let place = SourceLocation::new(file, 1);
            vec![(place, format!("a sealed file that cannot be checked ({error})"))]
        }
    }
}

/// Private keys in any text.
fn private_keys(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let what = if has_age_key(line) {
            "a private age key"
        } else if has_pem_key(line) {
            "a private key (PEM)"
        } else if has_encoded_key(line) {
            "a private key (PEM in base64)"
        } else {
            continue;
        };
        findings.push((SourceLocation::new(file, index as u64 + 1), what.to_string()));
    }
    findings
}

fn has_age_key(line: &str) -> bool {
    ["AGE-SECRET-KEY-1", "AGE-SECRET-KEY-PQ-1"].iter().any(|prefix| {
        line.match_indices(prefix).any(|(at, _)| {
            let rest = line[at + prefix.len()..].chars();
            rest.take_while(char::is_ascii_alphanumeric).count() >= AGE_KEY_CHARACTERS
        })
    })
}

fn has_pem_key(line: &str) -> bool {
    let begins = line.split_once("-----BEGIN ").map(|(_, rest)| rest);
    begins.and_then(|rest| rest.split_once("-----")).is_some_and(|(label, _)| {
        label.ends_with("PRIVATE KEY") && label.chars().all(|c| c.is_ascii_uppercase() || c == ' ')
    })
}

/// Kubeconfigs hold client keys so, and Secrets those of certificates.
fn has_encoded_key(line: &str) -> bool {
    line.match_indices(ENCODED_BEGIN).any(|(at, _)| {
        let encoded = line[at..].bytes().take(ENCODED_HEADER);
        let encoded = encoded.take_while(|b| b.is_ascii_alphanumeric() || b"+/".contains(b));
        let mut encoded: Vec<u8> = encoded.collect();
        encoded.truncate(encoded.len() / 4 * 4);
        let decoded = STANDARD.decode(encoded).unwrap_or_default();
        // The header alone is looked at, and what follows it may be no text.
        let header: String = decoded.iter().map(|byte| char::from(*byte)).collect();
        header.lines().next().is_some_and(has_pem_key)
    })
}

/// Credentials in a kubeconfig that are no private keys.
fn kubeconfig_values(file: &str, object: &Item) -> Vec<Finding> {
    if object.text(&["kind"]) != Some("Config") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for user in object.items(&["users"]) {
        let name = user.text(&["name"]).unwrap_or("without a name");
        for (key, value) in user.entries(&["user"]) {
            let is_credential = matches!(key.as_str(), "token" | "password");
            if let Node::Scalar(text) = &value.node
                && is_credential
                && !text.is_empty()
                && !is_sealed_value(text)
            {
                let place = SourceLocation::new(file, value.line);
                findings.push((place, format!("a {key} of user `{name}` of a kubeconfig")));
            }
        }
    }
    findings
}

/// Literals of a `secretGenerator`, and its files that are not sealed.
fn generated(layout: &Layout, document: &Document) -> Vec<Finding> {
    let file = &document.location.file;
    let mut findings = Vec::new();
    for generator in document.root.items(&["secretGenerator"]) {
        let name = generator.text(&["name"]).unwrap_or("without a name");
        for literal in generator.items(&["literals"]) {
            let place = SourceLocation::new(file.clone(), literal.line);
            findings.push((place, format!("a literal of secretGenerator `{name}`")));
        }
        let files = generator.items(&["files"]).iter();
        let sources = files.chain(generator.items(&["envs"])).chain(generator.at(&["env"]));
        for source in sources {
            let Node::Scalar(entry) = &source.node else {
                continue;
            };
            let path = entry.split_once('=').map_or(entry.as_str(), |(_, path)| path);
            let path = join(folder_of(file), path);
            let readable = layout.files.get(&path).is_some_and(|text| !is_sealed_file(&path, text));
            if readable {
                let place = SourceLocation::new(file.clone(), source.line);
                let what = format!("secretGenerator `{name}` takes `{path}`, which is not sealed");
                findings.push((place, what));
            }
        }
    }
    findings
}

/// Whether SOPS sealed a file, in any of its formats.
fn is_sealed_file(path: &str, text: &str) -> bool {
    if is_yaml(path) {
        return sops::is_sealed(text);
    }
    let has_sealed_value = text.contains("ENC[AES256_GCM,");
    let has_block = ["\"sops\":", "sops_mac=", "[sops]"].iter().any(|mark| text.contains(mark));
    has_sealed_value && has_block
}

/// A path as seen from a folder, with `.` and `..` resolved.
pub(crate) fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const SEALED: &str = include_str!("../tests/data/types.yaml");
    const KEY: &str = include_str!("../tests/data/owner-TEST-ONLY.key");

    fn scan(files: &[(&str, &str)]) -> Vec<String> {
        let files = files.iter().map(|(p, t)| (p.to_string(), t.to_string())).collect();
        let findings = readable_secrets(&Layout::new(files).unwrap());
        findings.into_iter().map(|(place, what)| format!("{place} {what}")).collect()
    }

    #[rstest]
    #[case::secret(
        "a/s.yaml",
        "kind: Secret\nmetadata: {name: db}\ntype: Opaque\nstringData:\n  password: hunter2\n",
        "a/s.yaml:5 a readable value of Secret `db`"
    )]
    #[case::secret_in_a_list(
        "a/s.yaml",
        "kind: List\nitems:\n- kind: Secret\n  metadata: {name: db}\n  data:\n    p: aHVudGVyMg==\n",
        "a/s.yaml:6 a readable value of Secret `db`"
    )]
    #[case::second_document(
        "a/s.yaml",
        "kind: A\n---\nkind: Secret\nmetadata: {name: db}\ndata: {p: aHVudGVyMg==}\n",
        "a/s.yaml:5 a readable value of Secret `db`"
    )]
    #[case::age_key("notes.txt", KEY, "notes.txt:3 a private age key")]
    #[case::pem(
        "a/tls.txt",
        "x\n-----BEGIN RSA PRIVATE KEY-----\nhunter2\n",
        "a/tls.txt:2 a private key (PEM)"
    )]
    #[case::post_quantum(
        "k.txt",
        "AGE-SECRET-KEY-PQ-1ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ\n",
        "k.txt:1 a private age key"
    )]
    #[case::client_key(
        "kubeconfig",
        "users:\n- user:\n    client-key-data: LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0tLS0tCmh1bnRlcjIK\n",
        "kubeconfig:3 a private key (PEM in base64)"
    )]
    #[case::token(
        "kubeconfig.yaml",
        "kind: Config\nusers:\n- name: admin\n  user:\n    token: hunter2\n",
        "kubeconfig.yaml:5 a token of user `admin` of a kubeconfig"
    )]
    #[case::literal(
        "a/kustomization.yaml",
        "secretGenerator:\n- name: db\n  literals:\n  - p=hunter2\n",
        "a/kustomization.yaml:4 a literal of secretGenerator `db`"
    )]
    fn finds(#[case] file: &str, #[case] text: &str, #[case] expected: &str) {
        let found = scan(&[(file, text)]);
        assert_eq!(found, [expected]);
        assert!(!found.concat().contains("hunter2"));
    }

    #[test]
    fn a_generator_of_a_plain_file_is_found() {
        let kustomization =
            "secretGenerator:\n- name: v\n  files:\n  - values.yaml=./secrets.yaml\n";
        let files =
            [("c/a/kustomization.yaml", kustomization), ("c/a/secrets.yaml", "p: hunter2\n")];
        assert_eq!(
            scan(&files),
            [
                "c/a/kustomization.yaml:4 secretGenerator `v` takes `c/a/secrets.yaml`, which is not sealed"
            ]
        );
        let sealed = [("c/a/kustomization.yaml", kustomization), ("c/a/secrets.yaml", SEALED)];
        assert_eq!(scan(&sealed), Vec::<String>::new());
    }

    #[test]
    fn a_readable_value_in_a_sealed_file_is_found() {
        let text = SEALED.replace("empty: \"\"", "empty: hunter2");
        assert_eq!(scan(&[("s.yaml", &text)]), ["s.yaml:8 a readable value in a sealed file"]);
    }

    #[rstest]
    #[case::sealed("s.yaml", include_str!("../tests/data/regex.yaml"))]
    #[case::no_values("s.yaml", "kind: Secret\nmetadata: {name: token}\ndata: {}\n")]
    #[case::talk("README.md", "a key starts with AGE-SECRET-KEY-1\n-----BEGIN CERTIFICATE-----\n")]
    #[case::dotenv("a.env", "A=1\n")]
    #[case::certificate(
        "kubeconfig",
        "certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==\n"
    )]
    #[case::no_base64("x.txt", "LS0tLS1CRUdJTi\nLS0tLS1CRUdJTi!!\n")]
    fn passes(#[case] file: &str, #[case] text: &str) {
        assert_eq!(scan(&[(file, text)]), Vec::<String>::new());
    }

    #[rstest]
    #[case("customers/a", "secrets.yaml", "customers/a/secrets.yaml")]
    #[case("customers/a", "../../base/x.yaml", "base/x.yaml")]
    #[case("", "./x.yaml", "x.yaml")]
    #[case("a", "../../../x.yaml", "x.yaml")]
    fn joins_paths(#[case] folder: &str, #[case] path: &str, #[case] expected: &str) {
        assert_eq!(join(folder, path), expected);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(?s).{0,200}") {
            let _ = private_keys("x", &text);
            let _ = unsealed_values("x.yaml", &text);
            let _ = join(&text, &text);
        }
    }
}
