//! One answer to one question about a tenant's secrets.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use age::secrecy::ExposeSecret;
use partywall_core::Layout;
use partywall_core::contract::{Contract, Secrets, Tenant};
use partywall_core::event::Blame;
use partywall_core::inventory::Lacks;
use partywall_core::layout::folder_of;
use partywall_core::observation::{FileOpening, Observation, SecretObservation};
use partywall_core::probe::{SecretAsk, SecretProbe};
use partywall_core::source::SourceLocation;

use super::carried::{Carried, carried, entries};
use super::copies::kept_by_service;
use super::history::History;
use super::keys::{Keys, own_recipients};
use super::recipients::{SealedTo, sealed_to};
use super::view::{Hashes, flux_opens, sha256, view};
use crate::render::{Object, Rendered};
use crate::scan::readable_secrets;
use crate::sops::{self, OpenError};
use crate::wiring::Kustomization;

/// What secret probes are answered from.
pub struct Vault<'a> {
    pub(super) layout: &'a Layout,
    pub(super) rendered: &'a Rendered,
    pub(super) contract: &'a Contract,
    pub(super) keys: &'a Keys,
    history: Option<&'a History>,
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
        Self { layout, rendered, contract, keys, history: None, findings: OnceLock::new() }
    }

    /// The same, with what earlier commits held.
    #[must_use]
    pub fn with_history(self, history: &'a History) -> Self {
        Self { history: Some(history), ..self }
    }

    /// What cannot be asked of these files, with the reason.
    pub fn lacks(&self) -> Lacks {
        let lack = |history: &History| history.lack.clone();
        let history = self.history.map_or_else(|| lack(&History::default()), lack);
        Lacks { keys: self.without_keys(), history, ..Lacks::default() }
    }

    /// The line that is to blame for what a probe saw.
    pub(crate) fn blame(&self, probe: &SecretProbe) -> Option<Blame> {
        match probe.ask {
            SecretAsk::RefusesNeighboursFile => self.copy_blame(&probe.tenant),
            SecretAsk::AsSealed => self.seal_blame(&probe.tenant),
            _ => match self.answer(probe) {
                Observation::Secret(SecretObservation::Scan { findings, .. }) => {
                    let (location, because) = findings.into_iter().next()?;
                    Some(Blame { location, because })
                }
                _ => None,
            },
        }
    }

    /// Answer one probe.
    pub fn answer(&self, probe: &SecretProbe) -> Observation {
        let seen = match probe.ask {
            SecretAsk::ArrivesDecrypted => self.arrived(&probe.tenant),
            SecretAsk::OpensWithOwnKeyOnly => Ok(self.openings(&probe.tenant)),
            SecretAsk::RefusesWrongKey => self.wrong_key(&probe.tenant),
            SecretAsk::NothingReadableInGit => Ok(self.scan(&probe.tenant)),
            SecretAsk::RefusesNeighboursFile => self.copies(&probe.tenant),
            SecretAsk::AsSealed => self.seals(&probe.tenant),
            SecretAsk::NothingReadableInHistory => self.past(&probe.tenant),
            SecretAsk::CanariesStayPut => {
                Err("where a value went can be seen on a cluster alone".to_string())
            }
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
        let by_service = || kept_by_service(&sealed_to(self.layout, one.file));
        let Some(key_secret) = kustomization.key_secret() else {
            if let Some(why) = by_service() {
                return Fate::Unknown(format!("{}: {why}", one.file));
            }
            return Fate::Unknown(format!(
                "{label} opens {} with the controller's own keys, of which the files tell nothing",
                one.file
            ));
        };
        match self.opened_by_key_of(&key_secret, one.file) {
            Ok(()) => Fate::Opened,
            Err(why) => match by_service() {
                Some(why) => Fate::Unknown(format!("{}: {why}", one.file)),
                None => Fate::NotBuilt(format!(
                    "{label} would not be built: the key in Secret {key_secret} does not open {}: \
                     {why}",
                    one.file
                )),
            },
        }
    }

    /// Whether the private keys in a key Secret open a file. What a key service keeps is in none.
    pub(super) fn opened_by_key_of(&self, key_secret: &str, file: &str) -> Result<(), String> {
        let text = self.text(file)?;
        let names_it = |tenant: &&Tenant| {
            tenant.secrets.as_ref().is_some_and(|secrets| secrets.key_secret == key_secret)
        };
        let mut why = "the contract names the Secret for no tenant".to_string();
        for holder in self.contract.tenants.iter().filter(names_it) {
            let opened = match self.keys.of(&holder.name) {
                Some(key) => flux_opens(file, text, key).map_err(|error| error.to_string()),
                None => self.listed(holder, file, text, |one| !one.in_service),
            };
            match opened {
                Ok(()) => return Ok(()),
                Err(refused) => why = refused,
            }
        }
        Err(why)
    }

    /// Whether a file is sealed to a recipient of a tenant; the answer where its key is not known.
    fn listed(
        &self,
        tenant: &Tenant,
        file: &str,
        text: &str,
        counts: impl Fn(&SealedTo) -> bool,
    ) -> Result<(), String> {
        sops::recipients(file, text).map_err(|error| error.to_string())?;
        let own = own_recipients(self.contract, tenant);
        let all = sealed_to(self.layout, file);
        if all.iter().any(|one| own.contains(one.name.as_str()) && counts(one)) {
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
            let in_service = sealed_to(self.layout, &opening.file).iter().any(|one| one.in_service);
            // A key service's keys are not at hand, whatever else is.
            let by_list = |one: &&Tenant| {
                let is_opened = opening.opened_by.contains(&one.name);
                self.keys.of(&one.name).is_none() || in_service && !is_opened
            };
            let by_list: Vec<&Tenant> = with_secrets().filter(by_list).collect();
            by_list.into_iter().for_each(|other| self.open_by_list(other, opening));
            opening.opened_by.sort();
            opening.strangers = self.strangers(&opening.file);
        }
        let tenants = with_secrets().map(|one| one.name.clone()).collect();
        SecretObservation::Openings { tenants, files }
    }

    fn open_by_list(&self, tenant: &Tenant, opening: &mut FileOpening) {
        let text = self.text(&opening.file);
        match text.and_then(|text| self.listed(tenant, &opening.file, text, |_| true)) {
            Ok(()) => {
                opening.refused.remove(&tenant.name);
                opening.opened_by.push(tenant.name.clone());
            }
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
                || self.contract.recovery_recipients.contains(name)
        };
        let all = sealed_to(self.layout, file).into_iter();
        all.filter(|one| !listed(&one.name)).map(|one| (one.location, one.name)).collect()
    }

    fn wrong_key(&self, tenant: &Tenant) -> Result<SecretObservation, String> {
        let secrets = secrets_of(tenant)?;
        let file = secrets.files.first();
        let file = file.ok_or_else(|| format!("{} has no encrypted file", tenant.name))?;
        let kept = |file: &String| kept_by_service(&sealed_to(self.layout, file));
        if let Some(why) = secrets.files.iter().find_map(kept) {
            return Err(format!("what a wrong key does is not told: {why}"));
        }
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
        let files = self.layout.files.len();
        let own = findings.iter().filter(|(place, _)| self.concerns(tenant, &place.file));
        SecretObservation::Scan { files, findings: own.cloned().collect() }
    }

    fn past(&self, tenant: &Tenant) -> Result<SecretObservation, String> {
        let history = self.history.ok_or("earlier commits were not read")?;
        let own = history.findings.iter().filter(|one| self.concerns(tenant, &one.path));
        let findings = own.map(|one| (one.location.clone(), one.what.clone())).collect();
        Ok(SecretObservation::Scan { files: history.files, findings })
    }

    /// What is in a folder of other tenants only is theirs; everything else is everybody's.
    fn concerns(&self, tenant: &Tenant, file: &str) -> bool {
        let holds = |owner: &Tenant| {
            let files = owner.secrets.iter().flat_map(|secrets| &secrets.files);
            files.into_iter().any(|path| folder_of(path) == folder_of(file))
        };
        let mut others = self.contract.tenants.iter().filter(|other| other.name != tenant.name);
        holds(tenant) || !others.any(holds)
    }

    pub(super) fn text(&self, file: &str) -> Result<&'a str, String> {
        let text = self.layout.files.get(file).map(String::as_str);
        text.ok_or_else(|| format!("the layout has no file {file}"))
    }
}

/// The secrets of a tenant that has any.
pub(super) fn secrets_of(tenant: &Tenant) -> Result<&Secrets, String> {
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
