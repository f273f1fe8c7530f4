//! The tenants' private keys, by their public halves in the contract.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use partywall_core::contract::{Contract, Tenant};
use partywall_core::source::LoadError;

use super::key_file;

/// Private age keys by tenant. They never print.
#[derive(Clone, Default)]
pub struct Keys(BTreeMap<String, String>);

impl Keys {
    /// Read every `*.agekey` file of a folder, and keep the keys that are a tenant's own.
    pub fn from_folder(folder: &Path, contract: &Contract) -> Result<Self, LoadError> {
        let texts = key_file::texts(folder)?;
        Self::from_texts(texts.iter().map(|(name, text)| (name.as_str(), text.as_str())), contract)
    }

    /// The keys of these texts (each with a name for messages) that are a tenant's own.
    pub fn from_texts<'a>(
        texts: impl IntoIterator<Item = (&'a str, &'a str)>,
        contract: &Contract,
    ) -> Result<Self, LoadError> {
        let mut by_recipient = BTreeMap::new();
        for (name, text) in texts {
            by_recipient.extend(key_file::keys(name, text)?);
        }
        let own = |tenant: &Tenant| {
            let recipients = own_recipients(contract, tenant);
            let found = recipients.iter().filter_map(|one| by_recipient.get(*one));
            let text: String = found.map(|key| format!("{key}\n")).collect();
            (!text.is_empty()).then(|| (tenant.name.clone(), text))
        };
        Ok(Self(contract.tenants.iter().filter_map(own).collect()))
    }

    /// Tenants whose key is here.
    pub fn tenants(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether no key is here.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text of a tenant's key file.
    pub(crate) fn of(&self, tenant: &str) -> Option<&str> {
        self.0.get(tenant).map(String::as_str)
    }

    pub(super) fn texts(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.0.keys().map(|tenant| (tenant, "***"))).finish()
    }
}

/// The public keys whose private halves are in a tenant's key Secret. A recipient that the
/// tenants of several key Secrets list (an operator's key, say) is in a Secret only where a
/// tenant has no other.
pub(crate) fn own_recipients<'a>(contract: &'a Contract, tenant: &'a Tenant) -> BTreeSet<&'a str> {
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for secrets in contract.tenants.iter().filter_map(|tenant| tenant.secrets.as_ref()) {
        let listed = secrets.recipients.iter().map(String::as_str);
        // What a key service keeps is in no Secret, and nobody shares one.
        if !secrets.key_secret.is_empty() {
            all.entry(&secrets.key_secret).or_default().extend(listed);
        }
    }
    let Some(secrets) = &tenant.secrets else { return BTreeSet::new() };
    let Some(set) = all.get(secrets.key_secret.as_str()) else {
        return secrets.recipients.iter().map(String::as_str).collect();
    };
    let holders = |one: &str| all.values().filter(|set| set.contains(one)).count();
    let own: BTreeSet<&str> = set.iter().copied().filter(|one| holders(one) == 1).collect();
    if own.is_empty() { set.clone() } else { own }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
