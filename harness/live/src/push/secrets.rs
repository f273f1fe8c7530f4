//! The committed SOPS files, encrypted to the session's own keys.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use partywall_tool::{Tool, ToolError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::error::PushError;
use super::keys::{ensure_keys, fresh, private};
use crate::programs::run;
use crate::session::Session;
use crate::spec::{LayoutSpec, TenantSecrets};

/// Exit codes of sops that mean something to us.
const MAC_MISMATCH: i32 = 51;
const TREE_NOT_DECRYPTED: i32 = 25;
const NO_KEY: i32 = 128;

/// What a secret file must hold once it is decrypted: hashes, never values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretExpectation {
    /// The tenant.
    pub tenant: String,
    /// The file, relative to the layout's root.
    pub file: String,
    /// SHA-256 of each value by its path (see [`hash_leaves`]).
    pub values: BTreeMap<String, String>,
    /// Whether the values are made up, because no key for the committed ones was given.
    pub made_up: bool,
    /// Whether the committed file is damaged (its MAC does not fit, or there is a plain value
    /// among the encrypted ones). It was kept as it is, and only opened to the session's keys;
    /// without values here, sops cannot decrypt it at all.
    pub damaged: bool,
}

/// SHA-256 of every scalar of a document, by its path with `/` between the steps.
pub fn hash_leaves(document: &Value) -> BTreeMap<String, String> {
    fn walk(value: &Value, path: &str, found: &mut BTreeMap<String, String>) {
        let below = |step: &str| {
            if path.is_empty() { step.to_string() } else { format!("{path}/{step}") }
        };
        let scalar = match value {
            Value::Object(map) => {
                map.iter().for_each(|(key, value)| walk(value, &below(key), found));
                return;
            }
            Value::Array(items) => {
                let steps = items.iter().enumerate();
                steps.for_each(|(index, value)| walk(value, &below(&index.to_string()), found));
                return;
            }
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        found.insert(path.to_string(), sha256(scalar.as_bytes()));
    }
    let mut found = BTreeMap::new();
    walk(document, "", &mut found);
    found
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Encrypt the tenants' files of a scratch tree anew.
pub(crate) async fn encrypt_anew(
    session: &mut Session,
    layout: &LayoutSpec,
    tree: &Path,
) -> Result<Vec<SecretExpectation>, PushError> {
    let mut files = Vec::new();
    for tenant in &layout.secrets {
        ensure_keys(session, tenant.recipients.clone())?;
        for name in &tenant.files {
            let read = std::fs::read_to_string(tree.join(name));
            // The scratch tree is our own affair; the user knows the file by its own place.
            let path = layout.directory.join(name);
            let text = read.map_err(|source| PushError::Layout { path, source })?;
            let file = Committed::parse(tenant, name, text)?;
            ensure_keys(session, file.recipients.clone())?;
            files.push(file);
        }
    }
    let committed_keys = committed_keys(layout)?;
    let session = &*session;
    let work = files.iter().map(|file| file.renew(session, tree, &committed_keys));
    futures::future::try_join_all(work).await
}

/// The private keys that open the committed files.
fn committed_keys(layout: &LayoutSpec) -> Result<String, PushError> {
    let Some(folder) = &layout.keys else {
        return Ok(String::new());
    };
    let failed = |path: &Path, source| PushError::Layout { path: path.to_path_buf(), source };
    let mut keys = String::new();
    for entry in std::fs::read_dir(folder).map_err(|source| failed(folder, source))? {
        let path = entry.map_err(|source| failed(folder, source))?.path();
        if path.extension().is_some_and(|end| end == "agekey") {
            let text = std::fs::read_to_string(&path).map_err(|source| failed(&path, source))?;
            keys.push_str(&text);
            keys.push('\n');
        }
    }
    Ok(keys)
}

struct Committed {
    tenant: String,
    name: String,
    text: String,
    recipients: Vec<String>,
    /// `--encrypted-regex` and its like, from the file's own `sops` block.
    rules: Vec<(String, String)>,
}

#[derive(Serialize, Deserialize)]
struct Cached {
    ciphertext: String,
    expectation: SecretExpectation,
}

impl Committed {
    fn parse(tenant: &TenantSecrets, name: &str, text: String) -> Result<Self, PushError> {
        let wrong = |detail: &str| PushError::NotASecret {
            file: name.to_string(),
            tenant: tenant.tenant.clone(),
            detail: detail.to_string(),
        };
        let document: Value =
            serde_saphyr::from_str(&text).map_err(|_| wrong("it is not one YAML document"))?;
        let block = document["sops"].as_object();
        let block = block.ok_or_else(|| wrong("it has no `sops` block: it is not encrypted"))?;
        let entries = block.get("age").and_then(Value::as_array);
        let recipients: Vec<String> = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| entry["recipient"].as_str().map(str::to_string))
            .collect();
        if recipients.is_empty() {
            return Err(wrong(
                "it is encrypted for no age recipient; files that a key service opens are judged \
                 by `partywall check` alone",
            ));
        }
        let rule = |key: &str| {
            let value = block.get(key)?.as_str()?;
            Some((format!("--{}", key.replace('_', "-")), value.to_string()))
        };
        let rules = [
            "encrypted_regex",
            "unencrypted_regex",
            "encrypted_suffix",
            "unencrypted_suffix",
            "encrypted_comment_regex",
            "unencrypted_comment_regex",
        ];
        let rules = rules.into_iter().filter_map(rule).collect();
        Ok(Self { tenant: tenant.tenant.clone(), name: name.to_string(), text, recipients, rules })
    }

    /// The file for the session's keys, from the session's cache where it is unchanged.
    async fn renew(
        &self,
        session: &Session,
        tree: &Path,
        committed_keys: &str,
    ) -> Result<SecretExpectation, PushError> {
        let mut new = Vec::new();
        for recipient in &self.recipients {
            new.push(fresh(session, recipient)?);
        }
        new.sort();
        new.dedup();
        let has_keys = !committed_keys.is_empty();
        let key = [self.tenant.as_str(), &self.name, &self.text, &new.join(",")].join("\n");
        let key = format!("cache/{}-{has_keys}.json", sha256(key.as_bytes()));
        let path = tree.join(&self.name);
        let cached = std::fs::read_to_string(session.file(&key)).ok();
        if let Some(cached) = cached.and_then(|text| serde_json::from_str::<Cached>(&text).ok()) {
            write(&path, &cached.ciphertext)?;
            return Ok(cached.expectation);
        }
        let expectation = self.encrypt(session, &path, committed_keys, &new).await?;
        let read = std::fs::read_to_string(&path);
        let ciphertext = read.map_err(|source| PushError::Scratch { path, source })?;
        let cached = Cached { ciphertext, expectation };
        let text = serde_json::to_vec(&cached).unwrap_or_default();
        session.write_private(&key, &text)?;
        Ok(cached.expectation)
    }

    async fn encrypt(
        &self,
        session: &Session,
        path: &Path,
        committed_keys: &str,
        new: &[String],
    ) -> Result<SecretExpectation, PushError> {
        let failed = |source| PushError::Sops { file: self.name.clone(), source };
        let sops = Sops { program: session.bundle.sops.clone(), home: session.file("home") };
        let (mut made_up, mut damaged) = (false, false);
        match sops.rotate(path, committed_keys, &self.recipients, new).await {
            Ok(()) => {}
            Err(error) if matches!(error.exit(), Some(MAC_MISMATCH | TREE_NOT_DECRYPTED)) => {
                damaged = true;
                write(path, &self.text)?;
                sops.rewrap(path, committed_keys, new).await.map_err(failed)?;
            }
            Err(error) if error.exit() == Some(NO_KEY) => {
                made_up = true;
                let seed = format!("{} {}", self.tenant, self.name);
                write(path, &made_up_plaintext(&self.text, &seed))?;
                sops.encrypt(path, &self.rules, new).await.map_err(failed)?;
            }
            Err(error) => return Err(failed(error)),
        }
        let mut keys = String::new();
        for public in new {
            keys.push_str(&private(session, public)?);
        }
        let values = match sops.decrypt(path, &keys).await {
            Ok(plain) => hash_leaves(&plain),
            Err(error) if damaged && error.exit() == Some(TREE_NOT_DECRYPTED) => BTreeMap::new(),
            Err(error) => return Err(failed(error)),
        };
        let (tenant, file) = (self.tenant.clone(), self.name.clone());
        Ok(SecretExpectation { tenant, file, values, made_up, damaged })
    }
}

fn write(path: &Path, text: &str) -> Result<(), PushError> {
    std::fs::write(path, text)
        .map_err(|source| PushError::Scratch { path: path.to_path_buf(), source })
}

/// The sops program without the user's own keys.
struct Sops {
    program: PathBuf,
    home: PathBuf,
}

impl Sops {
    fn tool(&self, keys: &str) -> Tool {
        let tool = Tool::new(&self.program)
            .env("HOME", &self.home)
            .env("XDG_CONFIG_HOME", &self.home)
            // The layout's own creation rules must not choose the recipients.
            .env("SOPS_CONFIG", "/dev/null")
            .secret_env("SOPS_AGE_KEY", keys);
        keys.lines().fold(tool, Tool::redact)
    }

    /// A new data key for new recipients, every other line left as it is.
    async fn rotate(
        &self,
        path: &Path,
        keys: &str,
        old: &[String],
        new: &[String],
    ) -> Result<(), ToolError> {
        let tool = self.tool(keys).args(["rotate", "--in-place"]);
        let tool = tool.args(["--rm-age", &old.join(","), "--add-age", &new.join(",")]);
        run(tool.arg(path)).await.map(|_output| ())
    }

    /// The old data key for new recipients: what is wrong with the file's content stays wrong.
    async fn rewrap(&self, path: &Path, keys: &str, new: &[String]) -> Result<(), ToolError> {
        let config = path.with_extension("sops-config.yaml");
        let rule = format!("creation_rules: [{{age: \"{}\"}}]\n", new.join(","));
        let command = self.tool(keys).arg("--config").arg(&config);
        let kept = std::fs::write(&config, rule)
            .map_err(|source| ToolError::Start { command: command.to_string(), source });
        let done = match kept {
            Ok(()) => run(command.args(["updatekeys", "--yes"]).arg(path)).await.map(|_| ()),
            Err(error) => Err(error),
        };
        // It stands in the scratch tree and must not be committed; absent is as good as gone.
        let _gone = std::fs::remove_file(&config);
        done
    }

    async fn encrypt(
        &self,
        path: &Path,
        rules: &[(String, String)],
        new: &[String],
    ) -> Result<(), ToolError> {
        let tool = self.tool("").args(["encrypt", "--in-place", "--age", &new.join(",")]);
        let tool = rules.iter().fold(tool, |tool, (flag, value)| tool.args([flag, value]));
        run(tool.arg(path)).await.map(|_output| ())
    }

    async fn decrypt(&self, path: &Path, keys: &str) -> Result<Value, ToolError> {
        let tool = self.tool(keys).args(["decrypt", "--ignore-mac", "--output-type", "json"]);
        let output = run(tool.arg(path)).await?;
        serde_json::from_slice(&output.stdout).map_err(|error| ToolError::Start {
            command: output.command,
            source: std::io::Error::new(std::io::ErrorKind::InvalidData, error.to_string()),
        })
    }
}

/// The file with made-up values in the place of what nobody here can open, line for line. No two
/// files have a value in common: one that is found somewhere tells whose it is.
fn made_up_plaintext(text: &str, seed: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut in_block = false;
    for (number, line) in text.lines().enumerate() {
        let top_level = !line.starts_with([' ', '\t', '#', '-', '}']) && !line.is_empty();
        in_block = if top_level { line.starts_with("sops:") } else { in_block };
        if !in_block {
            let mark = &sha256(format!("{seed} {number}").as_bytes())[..MARK];
            plain.push_str(&made_up_line(line, mark));
            plain.push('\n');
        }
    }
    plain
}

/// How much of a hash tells one made-up value from another.
const MARK: usize = 16;

fn made_up_line(line: &str, mark: &str) -> String {
    let (Some(from), Some(to)) = (line.find("ENC[AES256_GCM,"), line.rfind(']')) else {
        return line.to_string();
    };
    let kind = line[from..to].rsplit("type:").next().unwrap_or_default();
    let value = match kind {
        "int" => "1".to_string(),
        "float" => "1.5".to_string(),
        "bool" => "true".to_string(),
        _ => format!("partywall-made-up-{mark}"),
    };
    format!("{}{value}{}", &line[..from], &line[to + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_values_keep_types_and_lines() {
        let text = "a: ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]\nb:\n    c: \
                    ENC[AES256_GCM,data:x,iv:y,tag:z,type:int]\n#ENC[AES256_GCM,data:x,type:comment]\n\
                    sops:\n    age:\n        - recipient: age1x\n    version: 3.13.3\n";
        let plain = made_up_plaintext(text, "a secrets.yaml");
        let marks = starred(&plain);
        assert_eq!(marks, "a: partywall-made-up-*\nb:\n    c: 1\n#partywall-made-up-*\n");
        assert_ne!(plain, made_up_plaintext(text, "b secrets.yaml"));
        let lines: Vec<&str> = plain.lines().collect();
        assert_ne!(lines[0].trim_start_matches("a: "), lines[3].trim_start_matches('#'));
    }

    /// The text with a star in the place of each mark.
    fn starred(text: &str) -> String {
        let mut parts = text.split("partywall-made-up-");
        let mut kept = parts.next().unwrap_or_default().to_string();
        for part in parts {
            kept.push_str("partywall-made-up-*");
            kept.push_str(&part[MARK..]);
        }
        kept
    }

    #[test]
    fn hashes_every_leaf_by_its_path() {
        let document = serde_json::json!({"a": {"b": ["x", 1]}, "c": true});
        let hashes = hash_leaves(&document);
        assert_eq!(hashes.keys().collect::<Vec<_>>(), ["a/b/0", "a/b/1", "c"]);
        assert_eq!(hashes["a/b/0"], sha256(b"x"));
        assert_eq!(hashes["a/b/1"], sha256(b"1"));
    }

    #[test]
    fn refuses_a_file_that_is_not_encrypted() {
        let tenant = TenantSecrets {
            tenant: "a".into(),
            files: vec![],
            recipients: vec![],
            key_secret: "x/y".into(),
        };
        let error = Committed::parse(&tenant, "a/secrets.yaml", "k: v\n".into()).err().unwrap();
        assert_eq!(
            error.to_string(),
            "a/secrets.yaml is named as a secret of a, but it has no `sops` block: it is not \
             encrypted (hint: encrypt it with `sops encrypt`, or correct partywall.yaml)"
        );
    }
}
