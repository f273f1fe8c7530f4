//! One key that opens what belongs to several: a tenant that copies the ciphertext of another, or
//! of the platform, into its own folder gets the plaintext.

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::Layout;
use partywall_core::contract::{Contract, Tenant};
use partywall_core::event::Defect;
use partywall_core::layout::{folder_of, is_yaml};
use partywall_core::source::SourceLocation;

use super::decryption::sealed_files;
use super::findings::defect;
use super::rule::{RuleFor, rule_for};
use super::{KEY_SHARED_BETWEEN_TENANTS, Kustomization, PLATFORM_WIDE_KEY};
use crate::render::Rendered;
use crate::secret::{carried, own_recipients, sealed_to};

/// Names of those who use a key, or own a file; the platform is none of the tenants.
type Parties<'a> = BTreeSet<&'a str>;

const PLATFORM: &str = "the platform";
/// The flag by which the controller is given a key for all.
const CONTROLLERS_KEY: &str = "--sops-age-secret";

pub(super) fn findings(layout: &Layout, rendered: &Rendered, contract: &Contract) -> Vec<Defect> {
    let mut found = by_kustomization(rendered, contract);
    found.extend(by_recipient(layout, rendered, contract));
    found.extend(by_controller(layout));
    found
}

/// A key that the controller itself is started with: it opens files for every Kustomization,
/// whatever that one's own `decryption` names.
fn by_controller(layout: &Layout) -> Vec<Defect> {
    let mut found = Vec::new();
    for (file, text) in layout.files.iter().filter(|(file, _)| is_yaml(file)) {
        let lines = text.lines().enumerate();
        let named = lines.filter(|(_, line)| {
            line.split('#').next().is_some_and(|line| line.contains(CONTROLLERS_KEY))
        });
        for (index, _) in named {
            let summary = format!(
                "kustomize-controller is started with `{CONTROLLERS_KEY}`: the key in that Secret \
                 opens files for every tenant's Kustomization; give each tenant a key of its own"
            );
            let place = SourceLocation::new(file, index as u64 + 1);
            found.push(defect(PLATFORM_WIDE_KEY, CONTROLLERS_KEY, place, summary));
        }
    }
    found
}

/// A key with which Kustomizations of several open their files, at each that names it.
fn by_kustomization(rendered: &Rendered, contract: &Contract) -> Vec<Defect> {
    let mut users: BTreeMap<String, Vec<(Kustomization<'_>, Parties<'_>)>> = BTreeMap::new();
    for one in Kustomization::all(rendered).filter(Kustomization::decrypts) {
        users.entry(key_of(&one)).or_default().push((one, served(rendered, contract, &one)));
    }
    let mut found = Vec::new();
    for (key, all) in &users {
        let parties: Parties<'_> = all.iter().flat_map(|(_, served)| served).copied().collect();
        let Some(name) = name_of(&parties) else { continue };
        let names: Vec<&str> = parties.iter().copied().collect();
        for (kustomization, _) in all {
            let summary = format!(
                "{key} opens files of {}: whoever copies another's into its own folder gets it \
                 opened; name a Secret of its own here, with a key of its own",
                names.join(", ")
            );
            let place = kustomization.key_place(rendered);
            found.push(defect(name, kustomization.label(), place, summary));
        }
    }
    found
}

/// What a Kustomization opens files with.
fn key_of(kustomization: &Kustomization<'_>) -> String {
    let account = kustomization.0.text(&["spec", "decryption", "serviceAccountName"]);
    match (kustomization.key_secret(), account) {
        (Some(secret), _) => format!("Secret {secret}"),
        (None, Some(account)) => {
            format!("service account {}/{account}", kustomization.0.namespace())
        }
        (None, None) => "the controller's own keys".to_string(),
    }
}

/// Whose files a Kustomization opens.
fn served<'a>(
    rendered: &Rendered,
    contract: &'a Contract,
    kustomization: &Kustomization<'_>,
) -> Parties<'a> {
    let label = kustomization.label();
    let is_served = |tenant: &&Tenant| {
        let mut files = tenant.secrets.iter().flat_map(|secrets| &secrets.files);
        let by_file = files.any(|file| {
            Kustomization::nearest(rendered, file).is_some_and(|one| one.label() == label)
        });
        let own = |namespace: &str| tenant.namespaces.iter().any(|one| one == namespace);
        by_file
            || rendered
                .of_kind("Secret")
                .any(|secret| secret.applied_by == label && own(secret.namespace()))
    };
    let tenants: Parties<'_> =
        contract.tenants.iter().filter(is_served).map(|tenant| tenant.name.as_str()).collect();
    if tenants.is_empty() { Parties::from([PLATFORM]) } else { tenants }
}

/// The defect of a key that these use; none where it is one party's own.
fn name_of(parties: &Parties<'_>) -> Option<&'static str> {
    match (parties.len(), parties.contains(PLATFORM)) {
        (0 | 1, _) => None,
        (_, true) => Some(PLATFORM_WIDE_KEY),
        (_, false) => Some(KEY_SHARED_BETWEEN_TENANTS),
    }
}

/// A recipient to whom files of several are sealed, where the rules name it, or else the files.
fn by_recipient(layout: &Layout, rendered: &Rendered, contract: &Contract) -> Vec<Defect> {
    let mut sealed: BTreeMap<String, BTreeMap<&str, SourceLocation>> = BTreeMap::new();
    let mut owner_of: BTreeMap<&str, &str> = BTreeMap::new();
    for file in sealed_files(layout) {
        // A file that several take in is theirs together.
        let owners = owners(layout, rendered, contract, file);
        let (Some(owner), 1) = (owners.first(), owners.len()) else { continue };
        owner_of.insert(file, owner);
        for one in sealed_to(layout, file) {
            sealed.entry(one.name).or_default().insert(file, one.location);
        }
    }
    let mut found: Vec<Defect> = Vec::new();
    for (recipient, files) in &sealed {
        let parties: Parties<'_> =
            files.keys().filter_map(|file| owner_of.get(file)).copied().collect();
        let Some(name) = name_of_recipient(contract, recipient, &parties) else { continue };
        let names: Vec<&str> = parties.iter().copied().collect();
        let summary = format!(
            "one key, {recipient}, opens files of {}; give each a creation rule with a recipient of \
             its own, then run `sops updatekeys` and `sops rotate` on each file",
            names.join(", ")
        );
        let places: BTreeSet<SourceLocation> =
            files.iter().map(|(file, place)| named_at(layout, file, recipient, place)).collect();
        for place in places {
            found.push(defect(name, recipient.as_str(), place, summary.clone()));
        }
    }
    found
}

/// A key that is in no tenant's key Secret and opens every tenant's files is the platform's.
fn name_of_recipient(
    contract: &Contract,
    recipient: &str,
    parties: &Parties<'_>,
) -> Option<&'static str> {
    let name = name_of(parties)?;
    let mut with_files = contract.tenants.iter().filter(|tenant| tenant.secrets.is_some());
    let opens_all = with_files.all(|tenant| parties.contains(tenant.name.as_str()));
    let mut tenants = contract.tenants.iter();
    let is_own = tenants.any(|tenant| own_recipients(contract, tenant).contains(recipient));
    Some(if opens_all && !is_own { PLATFORM_WIDE_KEY } else { name })
}

/// Whose a sealed file is: by the contract, by its folder, or by the namespaces it comes to. What
/// is nobody's else is the platform's.
fn owners<'a>(
    layout: &Layout,
    rendered: &Rendered,
    contract: &'a Contract,
    file: &str,
) -> Parties<'a> {
    let holding = |holds: &dyn Fn(&String) -> bool| -> Parties<'a> {
        let files = |tenant: &Tenant| tenant.secrets.iter().any(|one| one.files.iter().any(holds));
        let tenants = contract.tenants.iter().filter(|tenant| files(tenant));
        tenants.map(|tenant| tenant.name.as_str()).collect()
    };
    let is_below = |one: &String| {
        let folder = folder_of(one);
        !folder.is_empty() && file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    };
    let mut found = holding(&|one| one == file);
    if found.is_empty() {
        found = holding(&is_below);
    }
    if found.is_empty() {
        let taken = carried(layout, rendered, &[file], |_| true);
        let namespaces = taken.iter().map(|one| one.object.namespace());
        let owner = |namespace| contract.tenant_of(namespace).map_or(PLATFORM, |one| &one.name);
        found = namespaces.map(owner).collect();
    }
    if found.is_empty() { Parties::from([PLATFORM]) } else { found }
}

/// Where a rule names a recipient of a file, or else where the file does.
fn named_at(
    layout: &Layout,
    file: &str,
    recipient: &str,
    place: &SourceLocation,
) -> SourceLocation {
    let RuleFor::Found(rule) = rule_for(layout, file) else { return place.clone() };
    let named = rule.recipients.into_iter().find(|(name, _)| name == recipient);
    named.map_or_else(|| place.clone(), |(_, place)| place)
}

#[cfg(test)]
#[path = "shared_tests.rs"]
mod tests;
