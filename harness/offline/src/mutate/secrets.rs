//! Sealed files: one reader more, or one value that nobody sealed.

use partywall_core::contract::{Secrets, Tenant};
use partywall_core::layout::folder_of;
use partywall_core::source::SourceLocation;
use serde_json::{Value, json};

use super::catalogue::{
    KEY_COMMITTED, KEY_LENT, MAC_BROKEN, PLAINTEXT, RECIPIENT_ADDED, REGEX_LOOSENED, RULE_RECIPIENT,
};
use super::ground::{Ground, named, one};
use super::model::{Generated, MutantFiles};
use super::survey::beside;
use super::text::{Change, emitted};
use crate::sops;

/// The API group of Flux's Kustomizations.
const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io";
/// Where SOPS keeps its creation rules.
const RULES: &str = ".sops.yaml";
/// A Secret that no layout has, and a value that is none.
const PLAIN_NAME: &str = "partywall-mutant";
const PLAIN_VALUE: &str = "TEST-ONLY-not-encrypted";
/// What looks like a private key and is none.
const NO_KEY: &str = "AGE-SECRET-KEY-1TESTONLYTESTONLYTESTONLYTESTONLYTESTONLYTESTONLY";
/// A time at which nothing was sealed.
const OTHER_TIME: &str = "2000-01-01T00:00:00Z";
/// A pattern that matches `metadata` as well.
const LOOSE: &str = "(data|stringData)";

pub(super) fn generate(ground: &Ground<'_>) -> Vec<Generated> {
    let mut mutants = Vec::new();
    for tenant in &ground.contract.tenants {
        let Some(secrets) = &tenant.secrets else { continue };
        for file in &secrets.files {
            mutants.extend(one_reader_more(ground, tenant, file));
            mutants.extend(mac_broken(ground, tenant, file));
        }
        mutants.extend(plaintext(ground, tenant, secrets));
        mutants.extend(key_committed(tenant, secrets));
    }
    mutants.extend(one_rule_wider(ground));
    mutants.extend(patterns_loosened(ground));
    mutants.extend(key_lent(ground));
    mutants
}

/// The time at which a file was sealed is readable, and part of what its MAC is about.
fn mac_broken(ground: &Ground<'_>, tenant: &Tenant, file: &str) -> Option<Generated> {
    let text = ground.text(file)?;
    let time = Change::Set(Value::String(OTHER_TIME.to_string()));
    let changed = match ground.keys.of(&tenant.name) {
        Some(_) => text.change(0, &["sops", "lastmodified"], &time),
        None => Err(format!("without a private key of {} nobody can check its MAC", tenant.name)),
    };
    Some(Generated {
        name: named(MAC_BROKEN, &tenant.name, &file.replace('/', ".")),
        operator: MAC_BROKEN,
        change: format!("{file} says that it was sealed at another time"),
        location: SourceLocation::new(file, changed.as_ref().map_or(1, |changed| changed.line)),
        about: vec![tenant.name.clone(), file.to_string()],
        files: changed.map(|changed| one(file, changed.text)),
    })
}

fn key_committed(tenant: &Tenant, secrets: &Secrets) -> Option<Generated> {
    let folder = folder_of(secrets.files.first()?);
    let name = format!("{PLAIN_NAME}.agekey");
    let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
    Some(Generated {
        name: named(KEY_COMMITTED, &tenant.name, ""),
        operator: KEY_COMMITTED,
        change: format!("{path} holds what looks like a private key"),
        location: SourceLocation::new(path.clone(), 1),
        about: vec![tenant.name.clone(), path.clone()],
        files: Ok(one(&path, format!("{NO_KEY}\n"))),
    })
}

/// Every creation rule with a pattern that is not anchored.
fn patterns_loosened(ground: &Ground<'_>) -> Vec<Generated> {
    let Some(text) = ground.text(RULES) else { return Vec::new() };
    let rules = text.value(0).and_then(|value| value["creation_rules"].as_array());
    let count = rules.map_or(0, Vec::len);
    let loosened = |index: usize| {
        let number = index.to_string();
        let path = ["creation_rules", &number, "encrypted_regex"];
        let changed = text.change(0, &path, &Change::Set(Value::String(LOOSE.to_string())));
        Generated {
            name: named(REGEX_LOOSENED, &format!("rule-{}", index + 1), ""),
            operator: REGEX_LOOSENED,
            change: format!("creation rule {} of {RULES} seals {LOOSE}", index + 1),
            location: SourceLocation::new(RULES, changed.as_ref().map_or(1, |one| one.line)),
            about: Vec::new(),
            files: changed.map(|changed| one(RULES, changed.text)),
        }
    };
    (0..count).map(loosened).collect()
}

/// A Kustomization of the platform that opens files with the key of the first tenant that has one.
fn key_lent(ground: &Ground<'_>) -> Option<Generated> {
    let mut secrets = ground.contract.tenants.iter().filter_map(|tenant| tenant.secrets.as_ref());
    let (namespace, key) = secrets.next()?.key_secret.split_once('/')?;
    let mut all = ground.written("Kustomization", KUSTOMIZE).into_iter();
    let platform = all.find(|one| {
        let own = one.objects.iter().all(|object| object.namespace() == namespace);
        own && one.value()["spec"]["decryption"].is_null()
    })?;
    let decryption = json!({"provider": "sops", "secretRef": {"name": key}});
    let said = format!("Kustomization {} opens files with the key {key}", platform.name());
    let change = (&["spec", "decryption"][..], &Change::Set(decryption));
    Some(platform.mutant(KEY_LENT, "", said, change))
}

/// The next tenant that has a key, and one of its public keys.
fn stranger<'a>(ground: &Ground<'a>, tenant: &str) -> Option<(&'a str, &'a str)> {
    ground.others(tenant).find_map(|name| {
        let secrets = ground.contract.tenant(name)?.secrets.as_ref()?;
        Some((name, secrets.recipients.first()?.as_str()))
    })
}

fn one_reader_more(ground: &Ground<'_>, tenant: &Tenant, file: &str) -> Option<Generated> {
    let (other, recipient) = stranger(ground, &tenant.name)?;
    let made = sealed_for(ground, tenant, file, recipient);
    let line = made.as_ref().map_or(1, |(line, _)| *line);
    Some(Generated {
        name: named(RECIPIENT_ADDED, &tenant.name, &file.replace('/', ".")),
        operator: RECIPIENT_ADDED,
        change: format!("{file} is sealed to the key of {other} as well"),
        location: SourceLocation::new(file, line),
        about: vec![tenant.name.clone()],
        files: made.map(|(_, files)| files),
    })
}

/// The file with the data key wrapped once more. It is in memory alone, and for a moment.
fn sealed_for(
    ground: &Ground<'_>,
    tenant: &Tenant,
    file: &str,
    recipient: &str,
) -> Result<(u64, MutantFiles), String> {
    let text = ground.text(file).ok_or_else(|| format!("{file} cannot be read"))?;
    let keys = ground.keys.of(&tenant.name).ok_or_else(|| {
        format!("without a private key of {} its data key cannot be wrapped anew", tenant.name)
    })?;
    let identities = sops::Identities::parse(keys).map_err(|error| error.to_string())?;
    let wrapped = sops::wrapped_for(file, &text.text, &identities, recipient);
    let wrapped = wrapped.map_err(|error| error.to_string())?;
    let entry = Change::Push(json!({"enc": wrapped, "recipient": recipient}));
    let changed = text.change(0, &["sops", "age"], &entry)?;
    Ok((changed.line, one(file, changed.text)))
}

/// A Secret in the folder of the tenant's own, in the open.
fn plaintext(ground: &Ground<'_>, tenant: &Tenant, secrets: &Secrets) -> Option<Generated> {
    let folder = folder_of(secrets.files.first()?);
    let list = ground.text(&beside(folder))?;
    let name = format!("{PLAIN_NAME}.yaml");
    let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": PLAIN_NAME, "namespace": tenant.namespaces.first()?},
        "stringData": {"password": PLAIN_VALUE},
    });
    let listed = list.change(0, &["resources"], &Change::Push(Value::String(name)));
    let files = listed.and_then(|listed| {
        let secret = emitted(&secret).ok_or("the Secret cannot be written")?;
        Ok([(path.clone(), Some(secret)), (list.file.clone(), Some(listed.text))].into())
    });
    Some(Generated {
        name: named(PLAINTEXT, &tenant.name, ""),
        operator: PLAINTEXT,
        change: format!("{path} holds a Secret in the open"),
        location: SourceLocation::new(path, 1),
        about: vec![tenant.name.clone(), folder.to_string()],
        files,
    })
}

/// Rules of age recipients, written as a text or as a list.
fn one_rule_wider(ground: &Ground<'_>) -> Vec<Generated> {
    let Some(text) = ground.text(RULES) else { return Vec::new() };
    let rules = text.value(0).and_then(|value| value["creation_rules"].as_array());
    let mut mutants = Vec::new();
    for (index, rule) in rules.into_iter().flatten().enumerate() {
        let Some(age) = rule["age"].as_str() else { continue };
        let recipients = ground.contract.tenants.iter().filter_map(|tenant| {
            let secrets = tenant.secrets.as_ref()?;
            Some((tenant.name.as_str(), secrets.recipients.first()?.as_str()))
        });
        let mut others = recipients.filter(|(_, key)| !age.contains(key));
        let Some((other, recipient)) = others.next() else { continue };
        let number = index.to_string();
        let wider = Change::Set(Value::String(format!("{age},{recipient}")));
        let changed = text.change(0, &["creation_rules", &number, "age"], &wider);
        mutants.push(Generated {
            name: named(RULE_RECIPIENT, &format!("rule-{}", index + 1), ""),
            operator: RULE_RECIPIENT,
            change: format!("creation rule {} of {RULES} also names {other}", index + 1),
            location: SourceLocation::new(RULES, changed.as_ref().map_or(1, |one| one.line)),
            about: Vec::new(),
            files: changed.map(|changed| one(RULES, changed.text)),
        });
    }
    mutants
}
