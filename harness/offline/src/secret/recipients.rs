//! To whom a file is sealed, whatever the key service.

use partywall_core::Layout;
use partywall_core::document::Item;
use partywall_core::source::SourceLocation;

/// A recipient in the `sops` block of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SealedTo {
    /// The public key, the fingerprint, or the address of a key of a cloud's key service.
    pub(crate) name: String,
    /// Where the file names it.
    pub(crate) location: SourceLocation,
    /// Whether a key service keeps the private half, so that no key in a Secret opens the file.
    pub(crate) in_service: bool,
}

/// Services whose private keys are files; every other keeps them to itself.
const KEPT_IN_FILES: [&str; 2] = ["age", "pgp"];

/// Everybody to whom a YAML file is sealed; empty for a file that is not.
pub(crate) fn sealed_to(layout: &Layout, file: &str) -> Vec<SealedTo> {
    let document = layout.documents.iter().find(|document| document.location.file == file);
    let Some(sops) = document.and_then(|document| document.root.get("sops")) else {
        return Vec::new();
    };
    let groups = sops.items(&["key_groups"]).iter();
    let mut found = Vec::new();
    for group in std::iter::once(sops).chain(groups) {
        for (service, list) in group.entries(&[]) {
            let wrapped = list.items(&[]).iter().filter(|item| item.get("enc").is_some());
            found.extend(wrapped.map(|item| {
                let (name, line) = name(service, item);
                let in_service = !KEPT_IN_FILES.contains(&service.as_str());
                SealedTo { name, location: SourceLocation::new(file, line), in_service }
            }));
        }
    }
    found
}

/// The name of a recipient, and the line on which it stands.
fn name(service: &str, item: &Item) -> (String, u64) {
    let text = |key: &str| item.text(&[key]).unwrap_or_default();
    match service {
        "azure_kv" => {
            let name = format!("{}/keys/{}/{}", text("vault_url"), text("name"), text("version"));
            (name, item.line)
        }
        "hc_vault" => {
            let (address, path) = (text("vault_address"), text("engine_path"));
            (format!("{address}/v1/{path}/keys/{}", text("key_name")), item.line)
        }
        _ => {
            let fields = ["recipient", "resource_id", "arn", "fp", "key_id"];
            let known = fields.iter().find_map(|field| item.get(field));
            let name = fields.iter().find_map(|field| item.text(&[field]));
            let name = name.map_or_else(|| format!("a key of `{service}`"), str::to_string);
            (name, known.map_or(item.line, |known| known.line))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::age("age: [{recipient: age1x, enc: e}]", "age1x")]
    #[case::google("gcp_kms: [{resource_id: projects/p/k, enc: e}]", "projects/p/k")]
    #[case::amazon("kms: [{arn: 'arn:aws:kms:x', enc: e}]", "arn:aws:kms:x")]
    #[case::azure(
        "azure_kv: [{vault_url: 'https://v', name: main, version: '1', enc: e}]",
        "https://v/keys/main/1"
    )]
    #[case::vault(
        "hc_vault: [{vault_address: 'https://v', engine_path: sops, key_name: main, enc: e}]",
        "https://v/v1/sops/keys/main"
    )]
    #[case::openpgp("pgp: [{fp: ABCD, enc: e}]", "ABCD")]
    #[case::unknown("moon: [{crater: x, enc: e}]", "a key of `moon`")]
    #[case::groups("key_groups: [{age: [{recipient: age1x, enc: e}]}]", "age1x")]
    fn names_recipients_of_every_service(#[case] block: &str, #[case] expected: &str) {
        let text = format!("a: ENC[x]\nsops:\n  {block}\n");
        let layout = Layout::new([("s.yaml".to_string(), text)].into()).unwrap();
        let found = sealed_to(&layout, "s.yaml");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name, expected);
        assert_eq!(found[0].location, SourceLocation::new("s.yaml", 3));
    }

    #[test]
    fn a_file_that_is_not_sealed_has_nobody() {
        let files = [("s.yaml".to_string(), "a: [{enc: x}]\n".to_string())].into();
        assert_eq!(sealed_to(&Layout::new(files).unwrap(), "s.yaml"), []);
    }
}
