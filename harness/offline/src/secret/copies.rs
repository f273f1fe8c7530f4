//! What becomes of a neighbour's sealed file in a tenant's own folder: whoever may read the
//! repository may copy ciphertext, and the tenant's own Kustomization opens what its key fits.

use partywall_core::contract::Tenant;
use partywall_core::event::Blame;
use partywall_core::observation::{CopyFate, FileCopy, SecretObservation};
use partywall_core::source::SourceLocation;

use super::answer::{Vault, secrets_of};
use super::keys::own_recipients;
use super::recipients::{SealedTo, sealed_to};
use crate::wiring::{Kustomization, RuleFor, rule_for};

/// How a layout keeps a copy closed.
const REPAIR: &str = "give each its own rule, key and Secret";

impl Vault<'_> {
    pub(super) fn copies(&self, tenant: &Tenant) -> Result<SecretObservation, String> {
        let kustomization = self.kustomization_of(tenant)?;
        let own = &secrets_of(tenant)?.files;
        let closed = |file: &String| {
            matches!(self.copied(&kustomization, own, file), CopyFate::Refused { .. })
        };
        let opens_own = !own.is_empty() && !own.iter().any(closed);
        let others = self.contract.tenants.iter().filter(|other| other.name != tenant.name);
        let mut copies = Vec::new();
        for other in others {
            let files = other.secrets.iter().flat_map(|secrets| &secrets.files);
            copies.extend(files.map(|file| FileCopy {
                owner: other.name.clone(),
                file: file.clone(),
                fate: self.copied(&kustomization, own, file),
            }));
        }
        Ok(SecretObservation::Copies { opens_own, copies })
    }

    /// The line that names the key, where a copy is opened.
    pub(super) fn copy_blame(&self, tenant: &Tenant) -> Option<Blame> {
        let Ok(SecretObservation::Copies { copies, .. }) = self.copies(tenant) else { return None };
        let opened = |copy: &&FileCopy| matches!(copy.fate, CopyFate::Opened { .. });
        let copy = copies.iter().find(opened)?;
        let kustomization = self.kustomization_of(tenant).ok()?;
        let location = kustomization.key_place(self.rendered);
        let key = match kustomization.key_secret() {
            Some(secret) => format!("Secret {secret}"),
            None => "the controller's own keys".to_string(),
        };
        let sealed = sealed_to(self.layout, &copy.file);
        let shared = self.fitting(&kustomization, &sealed).or_else(|| sealed.first());
        let place = shared.map(|one| format!(" ({})", self.named_at(&copy.file, one)));
        let because = format!(
            "{} opens with {key}, which also opens {}{}; {REPAIR}",
            kustomization.label(),
            copy.file,
            place.unwrap_or_default()
        );
        Some(Blame { location, because })
    }

    fn kustomization_of(&self, tenant: &Tenant) -> Result<Kustomization<'_>, String> {
        let file = secrets_of(tenant)?.files.first();
        let file = file.ok_or_else(|| format!("{} has no encrypted file", tenant.name))?;
        Kustomization::nearest(self.rendered, file)
            .ok_or_else(|| format!("no Flux Kustomization builds the folder of {file}"))
    }

    /// What a Kustomization that opens the files `own` does with one more.
    fn copied(&self, kustomization: &Kustomization<'_>, own: &[String], file: &str) -> CopyFate {
        let label = kustomization.label();
        if !kustomization.decrypts() {
            return CopyFate::Refused { detail: format!("{label} has no `decryption`") };
        }
        let sealed = sealed_to(self.layout, file);
        let Some(secret) = kustomization.key_secret() else {
            return self.by_controller(&label, own, &sealed);
        };
        let is_named = |tenant: &Tenant| {
            tenant.secrets.as_ref().is_some_and(|secrets| secrets.key_secret == secret)
        };
        if !self.contract.tenants.iter().any(is_named) {
            let detail = format!(
                "{label} opens files with Secret {secret}, of which the contract tells nothing"
            );
            return CopyFate::Unknown { detail };
        }
        match self.opened_by_key_of(&secret, file) {
            Ok(()) => CopyFate::Opened { detail: format!("{label} opens it with Secret {secret}") },
            Err(why) => match (self.as_own(&label, own, &sealed), kept_by_service(&sealed)) {
                (Some(opened), _) => opened,
                (None, Some(detail)) => CopyFate::Unknown { detail },
                (None, None) => CopyFate::Refused { detail: why },
            },
        }
    }

    /// What a key service opens for the tenant's own files, it opens for a copy sealed alike.
    fn as_own(&self, label: &str, own: &[String], sealed: &[SealedTo]) -> Option<CopyFate> {
        let mut mine = own.iter().flat_map(|file| sealed_to(self.layout, file));
        let alike =
            |one: &SealedTo| one.in_service && sealed.iter().any(|two| two.name == one.name);
        let one = mine.find(alike)?;
        let detail = format!(
            "{label} opens what is sealed to {}, a key of a key service, as the tenant's own file \
             is",
            one.name
        );
        Some(CopyFate::Opened { detail })
    }

    /// Without a key Secret the controller's own keys decide: they open what is sealed as the
    /// tenant's own files are.
    fn by_controller(&self, label: &str, own: &[String], sealed: &[SealedTo]) -> CopyFate {
        if let Some(opened) = self.as_own(label, own, sealed) {
            return opened;
        }
        let mut mine = own.iter().flat_map(|file| sealed_to(self.layout, file));
        match mine.find(|one| sealed.iter().any(|other| other.name == one.name)) {
            Some(one) => CopyFate::Opened {
                detail: format!(
                    "{label} opens it with the controller's own keys, and it is sealed to {} as \
                     the tenant's own file is",
                    one.name
                ),
            },
            None => CopyFate::Unknown {
                detail: format!(
                    "{label} opens files with the controller's own keys, of which the files tell \
                     nothing"
                ),
            },
        }
    }

    /// The recipient of a file that the Kustomization's key Secret holds.
    fn fitting<'s>(
        &self,
        kustomization: &Kustomization<'_>,
        sealed: &'s [SealedTo],
    ) -> Option<&'s SealedTo> {
        let secret = kustomization.key_secret()?;
        let holders = self.contract.tenants.iter().filter(|tenant| {
            tenant.secrets.as_ref().is_some_and(|secrets| secrets.key_secret == secret)
        });
        let mut holders = holders;
        holders.find_map(|holder| {
            let own = own_recipients(self.contract, holder);
            sealed.iter().find(|one| own.contains(one.name.as_str()))
        })
    }

    /// Where the rule of a file names a recipient, or else the file itself.
    fn named_at(&self, file: &str, recipient: &SealedTo) -> SourceLocation {
        let named = match rule_for(self.layout, file) {
            RuleFor::Found(rule) => {
                rule.recipients.into_iter().find(|(name, _)| *name == recipient.name)
            }
            RuleFor::NoRules | RuleFor::NoMatch(_) => None,
        };
        named.map_or_else(|| recipient.location.clone(), |(_, place)| place)
    }
}

/// Why nothing here tells whether a file can be opened: its key is kept by a key service.
pub(super) fn kept_by_service(sealed: &[SealedTo]) -> Option<String> {
    let one = sealed.iter().find(|one| one.in_service)?;
    Some(format!(
        "it is sealed to {}, a key of a key service, and is not decrypted here: who may use that \
         key, no file tells",
        one.name
    ))
}

impl Kustomization<'_> {
    /// Where it names the Secret of its key, or that it opens files at all.
    pub(crate) fn key_place(&self, rendered: &crate::render::Rendered) -> SourceLocation {
        let path = ["spec", "decryption", "secretRef", "name"];
        let depth = if self.key_secret().is_some() { path.len() } else { 2 };
        rendered.locate(self.0, &path[..depth])
    }
}

#[cfg(test)]
#[path = "copies_tests.rs"]
mod tests;
