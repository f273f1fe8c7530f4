//! One answer to one question about a tenant's secrets.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use age::secrecy::ExposeSecret;
use partywall_core::Layout;
use partywall_core::contract::{Contract, Secrets, Tenant};
use partywall_core::layout::folder_of;
use partywall_core::observation::{FileOpening, Observation, SecretObservation};
use partywall_core::probe::{SecretAsk, SecretProbe};
use partywall_core::source::SourceLocation;

use super::carried::{Carried, carried, entries};
use super::keys::{Keys, own_recipients};
use super::recipients::sealed_to;
use super::view::{Hashes, flux_opens, sha256, view};
use crate::render::{Object, Rendered};
use crate::scan::readable_secrets;
use crate::sops::{self, OpenError};
use crate::wiring::Kustomization;

/// What secret probes are answered from.
pub struct Vault<'a> {
    layout: &'a Layout,
    rendered: &'a Rendered,
    contract: &'a Contract,
    keys: &'a Keys,
    findings: OnceLock<Vec<(SourceLocation, String)>>,
}

/// Answer one probe. Where there are many, a [`Vault`] reads the layout once for all.
pub fn answer(
    layout: &Layout,
    rendered: &Rendered,
    contract: &Contract,
    keys: &Keys,
    probe: &SecretProbe,
) -> Observation {
    Vault::new(layout, rendered, contract, keys).answer(probe)
}

/// What Flux does with a sealed file.
enum Fate {
    Opened,
    StaysSealed,
    /// Nothing of the Kustomization is applied; says why.
    NotBuilt(String),
    /// The files do not tell; says why.
    Unknown(String),
}

impl<'a> Vault<'a> {
    /// A layout with its contract, and the keys that are known.
    pub fn new(
        layout: &'a Layout,
        rendered: &'a Rendered,
        contract: &'a Contract,
        keys: &'a Keys,
    ) -> Self {
        Self { layout, rendered, contract, keys, findings: OnceLock::new() }
    }

    /// Answer one probe.
    pub fn answer(&self, probe: &SecretProbe) -> Observation {
        let seen = match probe.ask {
            SecretAsk::ArrivesDecrypted => self.arrived(&probe.tenant),
            SecretAsk::OpensWithOwnKeyOnly => Ok(self.openings(&probe.tenant)),
            SecretAsk::RefusesWrongKey => self.wrong_key(&probe.tenant),
            SecretAsk::NothingReadableInGit => Ok(self.scan(&probe.tenant)),
        };
        seen.map_or_else(|detail| Observation::Failed { detail }, Observation::Secret)
    }

    fn arrived(&self, tenant: &Tenant) -> Result<SecretObservation, String> {
        let secrets = secrets_of(tenant)?;
        let key = self.keys.of(&tenant.name);
        let mut expected = BTreeMap::new();
        let mut sealed: BTreeMap<&str, Hashes> = BTreeMap::new();
        for file in &secrets.files {
            self.text(file)?;
            let view = view(self.layout, file, key);
            expected.insert(file.clone(), view.opened);
            sealed.insert(file, view.sealed);
        }
        let files: Vec<&str> = secrets.files.iter().map(String::as_str).collect();
        let mut seen: BTreeMap<String, Hashes> = BTreeMap::new();
        let mut not_built = None;
        let is_own =
            |object: &Object| tenant.namespaces.iter().any(|own| own == object.namespace());
        for one in carried(self.layout, self.rendered, &files, is_own) {
            let hashes = match self.fate(&one) {
                Fate::Opened => expected.get(one.file).cloned(),
                Fate::StaysSealed => sealed.get(one.file).cloned(),
                Fate::NotBuilt(why) => {
                    not_built = Some(why);
                    continue;
                }
                Fate::Unknown(why) => return Err(why),
            };
            let name = format!("{}/{}", one.object.namespace(), one.object.name());
            seen.entry(name).or_default().extend(hashes.unwrap_or_default());
        }
        if let (true, Some(why)) = (seen.is_empty(), not_built) {
            return Err(why);
        }
        self.add_other_secrets(tenant, &mut seen)?;
        Ok(SecretObservation::Arrived { expected, seen })
    }

    /// Secrets that the tenant's releases take values from and that carry none of its files.
    fn add_other_secrets(
        &self,
        tenant: &Tenant,
        seen: &mut BTreeMap<String, Hashes>,
    ) -> Result<(), String> {
        let mut taken = 0;
        for release in self.rendered.of_kind("HelmRelease") {
            let namespace = release.namespace();
            if !tenant.namespaces.iter().any(|own| own == namespace) {
                continue;
            }
            for name in secrets_of_release(release) {
                taken += 1;
                let Some(secret) = self.rendered.find("Secret", namespace, name) else { continue };
                let hashes = || {
                    let entries = entries(secret).into_iter();
                    entries.map(|(entry, text)| (entry.into(), sha256(text.as_bytes()))).collect()
                };
                seen.entry(format!("{namespace}/{name}")).or_insert_with(hashes);
            }
        }
        if taken == 0 && seen.is_empty() {
            return Err(format!("no HelmRelease of {} takes values from a Secret", tenant.name));
        }
        Ok(())
    }

    /// What becomes of a file by the Kustomization that applies it.
    fn fate(&self, one: &Carried<'_>) -> Fate {
        let Some(kustomization) = Kustomization::of(self.rendered, one.object) else {
            return Fate::StaysSealed;
        };
        let label = kustomization.label();
        if !kustomization.decrypts() {
            return match one.entry {
                Some(_) => Fate::StaysSealed,
                None => Fate::NotBuilt(format!(
                    "{label} would not apply {}: it is sealed, and the Kustomization has no \
                     `decryption`",
                    one.file
                )),
            };
        }
        let Some(key_secret) = kustomization.key_secret() else {
            return Fate::Unknown(format!(
                "{label} opens {} with the controller's own keys, of which the files tell nothing",
                one.file
            ));
        };
        match self.opened_by_key_of(&key_secret, one.file) {
            Ok(()) => Fate::Opened,
            Err(why) => Fate::NotBuilt(format!(
                "{label} would not be built: the key in Secret {key_secret} does not open {}: {why}",
                one.file
            )),
        }
    }

    /// Whether the keys in a key Secret open a file.
    fn opened_by_key_of(&self, key_secret: &str, file: &str) -> Result<(), String> {
        let text = self.text(file)?;
        let names_it = |tenant: &&Tenant| {
            tenant.secrets.as_ref().is_some_and(|secrets| secrets.key_secret == key_secret)
        };
        let mut why = "the contract names the Secret for no tenant".to_string();
        for holder in self.contract.tenants.iter().filter(names_it) {
            let opened = match self.keys.of(&holder.name) {
                Some(key) => flux_opens(file, text, key).map_err(|error| error.to_string()),
                None => self.listed(holder, file, text),
            };
            match opened {
                Ok(()) => return Ok(()),
                Err(refused) => why = refused,
            }
        }
        Err(why)
    }

    /// Whether a file is sealed to a recipient of a tenant; the answer where its key is not known.
    fn listed(&self, tenant: &Tenant, file: &str, text: &str) -> Result<(), String> {
        sops::recipients(file, text).map_err(|error| error.to_string())?;
        let own = own_recipients(self.contract, tenant);
        let all = sealed_to(self.layout, file);
        if all.iter().any(|one| own.contains(one.name.as_str())) {
            return Ok(());
        }
        let all: Vec<String> = all.into_iter().map(|one| one.name).collect();
        Err(format!("it is sealed to {}, which is no key of {}", all.join(", "), tenant.name))
    }

    fn openings(&self, tenant: &Tenant) -> SecretObservation {
        let files = tenant.secrets.as_ref().map(|secrets| secrets.files.clone());
        let mut files = sops::openings(self.layout, &files.unwrap_or_default(), self.keys.texts());
        let with_secrets = || self.contract.tenants.iter().filter(|one| one.secrets.is_some());
        for opening in &mut files {
            for other in with_secrets().filter(|one| self.keys.of(&one.name).is_none()) {
                self.open_by_list(other, opening);
            }
            opening.opened_by.sort();
            opening.strangers = self.strangers(&opening.file);
        }
        let tenants = with_secrets().map(|one| one.name.clone()).collect();
        SecretObservation::Openings { tenants, files }
    }

    fn open_by_list(&self, tenant: &Tenant, opening: &mut FileOpening) {
        let text = self.text(&opening.file);
        match text.and_then(|text| self.listed(tenant, &opening.file, text)) {
            Ok(()) => opening.opened_by.push(tenant.name.clone()),
            Err(why) => {
                opening.refused.insert(tenant.name.clone(), why);
            }
        }
    }

    /// Recipients of a file that the contract lists for nobody.
    fn strangers(&self, file: &str) -> Vec<(SourceLocation, String)> {
        let listed = |name: &String| {
            let mut secrets = self.contract.tenants.iter().filter_map(|one| one.secrets.as_ref());
            secrets.any(|secrets| secrets.recipients.contains(name))
        };
        let all = sealed_to(self.layout, file).into_iter();
        all.filter(|one| !listed(&one.name)).map(|one| (one.location, one.name)).collect()
    }

    fn wrong_key(&self, tenant: &Tenant) -> Result<SecretObservation, String> {
        let secrets = secrets_of(tenant)?;
        let file = secrets.files.first();
        let file = file.ok_or_else(|| format!("{} has no encrypted file", tenant.name))?;
        let kustomization = Kustomization::nearest(self.rendered, file)
            .ok_or_else(|| format!("no Flux Kustomization builds the folder of {file}"))?;
        if kustomization.key_secret().as_ref() != Some(&secrets.key_secret) {
            return Ok(SecretObservation::NoDecryption { object: kustomization.label() });
        }
        let is_ready = kustomization.is_ready(self.rendered);
        let object = format!("{} with a fresh key", kustomization.label());
        // What of the tenant's files the Kustomization takes in. Of one that does not build,
        // nothing is known, and its own state makes the answer undetermined.
        let names: Vec<&str> = secrets.files.iter().map(String::as_str).collect();
        let taken: Vec<&str> = if is_ready {
            let label = kustomization.label();
            let of = |object: &Object| object.applied_by == label;
            let own = carried(self.layout, self.rendered, &names, of);
            own.into_iter().map(|one| one.file).collect()
        } else {
            names
        };
        let mut control_ready = is_ready;
        let mut refused = None;
        let fresh = age::x25519::Identity::generate().to_string();
        for file in taken {
            let text = self.text(file)?;
            control_ready &= self.opened_by_key_of(&secrets.key_secret, file).is_ok();
            match flux_opens(file, text, fresh.expose_secret()) {
                Err(OpenError::NoMatchingKey { .. }) => refused = Some(file),
                Ok(()) | Err(OpenError::NotSealed { .. }) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        let (reason, message) = match refused {
            Some(file) => {
                ("BuildFailed", format!("decryption failed for '{file}': cannot get sops data key"))
            }
            None => (
                "ReconciliationSucceeded",
                format!("{} takes in no sealed file of {}", kustomization.label(), tenant.name),
            ),
        };
        let reason = reason.to_string();
        Ok(SecretObservation::Status { object, reason, message, control_ready })
    }

    fn scan(&self, tenant: &Tenant) -> SecretObservation {
        let findings = self.findings.get_or_init(|| readable_secrets(self.layout));
        // A finding in a folder of other tenants only is theirs; everything else is everybody's.
        let holds = |owner: &Tenant, file: &str| {
            let files = owner.secrets.iter().flat_map(|secrets| &secrets.files);
            files.into_iter().any(|path| folder_of(path) == folder_of(file))
        };
        let others = || self.contract.tenants.iter().filter(|other| other.name != tenant.name);
        let foreign = |file: &str| !holds(tenant, file) && others().any(|other| holds(other, file));
        let findings = findings.iter().filter(|(place, _)| !foreign(&place.file)).cloned();
        SecretObservation::Scan { files: self.layout.files.len(), findings: findings.collect() }
    }

    fn text(&self, file: &str) -> Result<&'a str, String> {
        let text = self.layout.files.get(file).map(String::as_str);
        text.ok_or_else(|| format!("the layout has no file {file}"))
    }
}

fn secrets_of(tenant: &Tenant) -> Result<&Secrets, String> {
    tenant.secrets.as_ref().ok_or_else(|| format!("{} has no secrets", tenant.name))
}

/// Names of the Secrets that a release takes values from.
fn secrets_of_release(release: &Object) -> impl Iterator<Item = &str> {
    let sources = release.at(&["spec", "valuesFrom"]).and_then(serde_json::Value::as_array);
    let secrets = sources.into_iter().flatten().filter(|source| source["kind"] == "Secret");
    secrets.filter_map(|source| source["name"].as_str())
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
