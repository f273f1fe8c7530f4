//! Whether sealed files are what was sealed. Flux does not ask: it opens a file whose MAC does
//! not fit, and one from which values were taken or whose readable part was changed.

use std::collections::BTreeMap;

use partywall_core::contract::Tenant;
use partywall_core::event::Blame;
use partywall_core::observation::{FileSeal, SealState, SecretObservation};
use partywall_core::source::SourceLocation;

use super::answer::{Vault, secrets_of};
use super::copies::kept_by_service;
use super::recipients::sealed_to;
use crate::sops::{self, Identities, OpenError};

impl Vault<'_> {
    pub(super) fn seals(&self, tenant: &Tenant) -> Result<SecretObservation, String> {
        let files = &secrets_of(tenant)?.files;
        let files = files.iter().map(|file| self.seal(tenant, file)).collect();
        Ok(SecretObservation::Seals { files })
    }

    /// Tenants of whose files nobody can tell whether they are what was sealed, with the reason.
    /// What can be told without a key, that there is no MAC, is told all the same.
    pub(super) fn without_keys(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for tenant in self.contract.tenants.iter().filter(|one| self.keys.of(&one.name).is_none()) {
            let Ok(SecretObservation::Seals { files }) = self.seals(tenant) else { continue };
            let is_told = |one: &FileSeal| {
                matches!(one.state, SealState::Changed { .. } | SealState::Missing)
            };
            if !files.iter().any(is_told) {
                let unknown = files.into_iter().find_map(|one| match one.state {
                    SealState::Unknown { detail } => Some(detail),
                    _ => None,
                });
                found.extend(unknown.map(|why| (tenant.name.clone(), format!("not asked: {why}"))));
            }
        }
        found
    }

    pub(super) fn seal_blame(&self, tenant: &Tenant) -> Option<Blame> {
        let Ok(SecretObservation::Seals { files }) = self.seals(tenant) else { return None };
        files.into_iter().find_map(|FileSeal { location, state }| {
            let because = match state {
                SealState::Changed { detail } => detail,
                SealState::Missing => "the file has no MAC".to_string(),
                SealState::Whole | SealState::Unknown { .. } => return None,
            };
            let because = format!(
                "{because}; take the file as it was sealed last, and change it with `sops edit {}`",
                location.file
            );
            Some(Blame { location, because })
        })
    }

    fn seal(&self, tenant: &Tenant, file: &str) -> FileSeal {
        let begin = SourceLocation::new(file, 1);
        let unknown =
            |location, detail| FileSeal { location, state: SealState::Unknown { detail } };
        let text = match self.text(file) {
            Ok(text) => text,
            Err(detail) => return unknown(begin, detail),
        };
        let place = match sops::mac_place(file, text) {
            Ok(place) => place,
            Err(OpenError::MacMissing { location }) => {
                return FileSeal { location, state: SealState::Missing };
            }
            Err(error) => return unknown(begin, error.to_string()),
        };
        let sealed = sealed_to(self.layout, file);
        let opened = match self.keys.of(&tenant.name).map(Identities::parse) {
            None => {
                Err(OpenError::NoMatchingKey { file: file.to_string(), recipients: Vec::new() })
            }
            Some(identities) => {
                identities.and_then(|identities| sops::open(file, text, &identities).map(drop))
            }
        };
        match opened {
            Ok(()) => FileSeal { location: place, state: SealState::Whole },
            Err(OpenError::BadMac { location, what }) => {
                let detail = format!("{what} was changed after it was sealed");
                FileSeal { location, state: SealState::Changed { detail } }
            }
            Err(OpenError::NoMatchingKey { .. }) => {
                let why = kept_by_service(&sealed).unwrap_or_else(|| {
                    format!(
                        "without the key of {} nobody can check the MAC of {file} (hint: \
                             --keys names a folder of keys)",
                        tenant.name
                    )
                });
                unknown(place, why)
            }
            Err(error) => unknown(place, error.to_string()),
        }
    }
}

#[cfg(test)]
#[path = "seals_tests.rs"]
mod tests;
