//! What a rotation is about: found in the layout, and refused where it would touch a neighbour.

use partywall_core::Layout;
use partywall_core::contract::{Contract, Tenant};
use partywall_core::document::Item;
use partywall_core::source::SourceLocation;

use super::error::RotateError;
use crate::secret::own_recipients;
use crate::sops::recipients;
use crate::wiring::{RuleFor, rule_for};

/// The contract's file.
pub(super) const CONTRACT: &str = "partywall.yaml";

/// One tenant's key, and everything in the layout that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The tenant.
    pub tenant: String,
    /// The public key that goes.
    pub old: String,
    /// Sealed files of the tenant.
    pub files: Vec<FileSealed>,
    /// Where the contract names its recipients, with the names.
    pub contract: Vec<(String, SourceLocation)>,
    /// The Secret of the cluster that holds the private key, `namespace/name`.
    pub key_secret: String,
    /// Flux's Kustomizations that decrypt with that Secret, and where they say so.
    pub kustomizations: Vec<(String, SourceLocation)>,
}

/// One sealed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSealed {
    /// The file.
    pub file: String,
    /// To whom it is sealed, and where it says so.
    pub recipients: Vec<(String, SourceLocation)>,
    /// Whom its creation rule names, and where; empty where no rule is for it.
    pub rule: Vec<(String, SourceLocation)>,
}

impl Rotation {
    /// What is to be rotated for a tenant: the key that its key Secret holds, or the one that is
    /// named. `new` is the key that comes, if it is there already.
    pub fn of(
        layout: &Layout,
        contract: &Contract,
        tenant: &str,
        old: Option<&str>,
        new: Option<&str>,
    ) -> Result<Self, RotateError> {
        let found = contract.tenant(tenant);
        let Some((owner, secrets)) = found.and_then(|one| Some((one, one.secrets.as_ref()?)))
        else {
            let known = contract.tenants.iter().filter(|one| one.secrets.is_some());
            let known = known.map(|one| one.name.clone()).collect::<Vec<_>>().join(", ");
            return Err(RotateError::NoTenant { tenant: tenant.to_string(), known });
        };
        let in_contract = of_contract(layout, tenant);
        let old = match old {
            Some(old) => old.to_string(),
            None => only_old(contract, owner, new, &in_contract)?,
        };
        let files = secrets.files.iter().map(|file| file_sealed(layout, file));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        let rotation = Self {
            tenant: tenant.to_string(),
            old,
            files,
            contract: in_contract,
            key_secret: secrets.key_secret.clone(),
            kustomizations: decrypting(layout, &secrets.key_secret),
        };
        rotation.must_be_own(layout, contract)?;
        Ok(rotation)
    }

    /// A key that others have too is not one tenant's to rotate.
    fn must_be_own(&self, layout: &Layout, contract: &Contract) -> Result<(), RotateError> {
        for other in contract.tenants.iter().filter(|other| other.name != self.tenant) {
            let Some(secrets) = &other.secrets else { continue };
            let same_secret = !self.key_secret.is_empty() && secrets.key_secret == self.key_secret;
            if secrets.recipients.contains(&self.old) || same_secret {
                let place = self.contract.first().map(|(_, place)| place.clone());
                let place = place.unwrap_or_else(|| SourceLocation::new(CONTRACT, 1));
                let message = format!("the key {} is that of {} too", self.old, other.name);
                let hint = "give each tenant a key and a key Secret of its own first";
                return Err(RotateError::at(place, message, hint));
            }
            for file in &secrets.files {
                let RuleFor::Found(rule) = rule_for(layout, file) else { continue };
                let shared = rule.recipients.iter().find(|(name, _)| *name == self.old);
                if let Some((_, place)) = shared {
                    let message = format!("this rule is for {file} of {} too", other.name);
                    let hint = "give each tenant's files a creation rule of their own first";
                    return Err(RotateError::at(place.clone(), message, hint));
                }
            }
        }
        Ok(())
    }
}

fn only_old(
    contract: &Contract,
    owner: &Tenant,
    new: Option<&str>,
    in_contract: &[(String, SourceLocation)],
) -> Result<String, RotateError> {
    let own = own_recipients(contract, owner);
    let mut old = own.iter().filter(|one| Some(**one) != new);
    match (old.next(), old.next()) {
        (Some(one), None) => Ok((*one).to_string()),
        (first, _) => {
            let place = in_contract.first().map(|(_, place)| place.clone());
            let place = place.unwrap_or_else(|| SourceLocation::new(CONTRACT, 1));
            let what = if first.is_some() { "several keys" } else { "no key that could go" };
            let message = format!("{} has {what}", owner.name);
            let hint =
                "name the one that goes with `--old`, and the one that comes with `--new-key`";
            Err(RotateError::at(place, message, hint))
        }
    }
}

/// Recipients of a tenant in the contract, with their lines.
pub(super) fn of_contract(layout: &Layout, tenant: &str) -> Vec<(String, SourceLocation)> {
    let document = layout.documents.iter().find(|document| document.location.file == CONTRACT);
    let tenants = document.map(|document| document.root.items(&["tenants"])).unwrap_or_default();
    let own = tenants.iter().find(|one| one.text(&["name"]) == Some(tenant));
    let listed = own.map(|one| one.items(&["secrets", "recipients"])).unwrap_or_default();
    let named = listed.iter().filter_map(|item: &Item| Some((item.text(&[])?, item.line)));
    named.map(|(name, line)| (name.to_string(), SourceLocation::new(CONTRACT, line))).collect()
}

/// A sealed file as it is now.
pub(super) fn file_sealed(layout: &Layout, file: &str) -> Result<FileSealed, RotateError> {
    let text = layout.files.get(file).ok_or_else(|| {
        let message = format!("the layout has no file {file}, which the contract names");
        RotateError::at(SourceLocation::new(CONTRACT, 1), message, "correct `secrets.files`")
    })?;
    let sealed = recipients(file, text)?;
    let rule = match rule_for(layout, file) {
        RuleFor::Found(rule) => rule.recipients,
        RuleFor::NoRules | RuleFor::NoMatch(_) => Vec::new(),
    };
    Ok(FileSealed {
        file: file.to_string(),
        recipients: sealed.into_iter().map(|one| (one.key, one.location)).collect(),
        rule,
    })
}

fn decrypting(layout: &Layout, key_secret: &str) -> Vec<(String, SourceLocation)> {
    let flux = layout.of_kind("Kustomization").filter_map(|document| {
        let reference = document.root.at(&["spec", "decryption", "secretRef", "name"])?;
        let namespace = layout.namespace_of(document);
        let is_it = reference.text(&[]) == key_secret.split_once('/').map(|(_, name)| name);
        let place = SourceLocation::new(document.location.file.clone(), reference.line);
        is_it.then(|| (format!("{namespace}/{}", document.name()), place))
    });
    flux.collect()
}
