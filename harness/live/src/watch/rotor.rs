//! A tenant's sealed files and keys in a session, for experiments: rotated in memory, never opened
//! to a file.

use std::collections::BTreeMap;
use std::fmt;

use age::secrecy::{ExposeSecret, SecretString};
use partywall_offline::sops::{
    Identities, OpenError, open, with_new_data_key, with_recipient, with_value, without_recipient,
};

use super::kept::ValueHashes;
use super::site::{Site, SiteError};
use crate::push::{key_secrets, sha256};

/// Which keys a tenant's key Secret holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldKeys {
    /// Those that it holds by the contract.
    Committed,
    /// Those, and a new one as a second entry.
    Both,
    /// The new one alone.
    NewOnly,
    /// Those by the contract, in an entry whose name does not end in `.agekey`.
    Misnamed,
    /// There is no such Secret.
    Absent,
}

/// Sealed files of one tenant as they were pushed, and the keys around them.
pub struct Rotor {
    /// The tenant.
    pub tenant: String,
    /// `namespace/name` of its key Secret.
    pub key_secret: String,
    files: BTreeMap<String, String>,
    own: SecretString,
    own_public: Vec<String>,
    new: SecretString,
    new_public: String,
}

impl fmt::Debug for Rotor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Rotor({}, {} files)", self.tenant, self.files.len())
    }
}

type Sealed = BTreeMap<String, String>;

/// Sealed files with one value changed.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The files.
    pub sealed: BTreeMap<String, String>,
    /// The path of the value.
    pub path: String,
    /// Its hash.
    pub hash: String,
    /// What each file then holds, by hash.
    pub hashes: Vec<ValueHashes>,
}

impl Rotor {
    /// The sealed files of a tenant in the commit that the session holds, and a new key.
    pub fn of(site: &Site, tenant: &str) -> Result<Self, SiteError> {
        let none = || SiteError::NoSecrets { tenant: tenant.to_string() };
        let secrets = site.spec.secrets.iter().find(|one| one.tenant == tenant);
        let secrets = secrets.ok_or_else(none)?;
        let mut files = Sealed::new();
        for file in &secrets.files {
            let path = site.session.file("work/deployments").join(file);
            let read = std::fs::read_to_string(&path);
            let text = read.map_err(|source| SiteError::Read { path, source })?;
            files.insert(file.clone(), text);
        }
        let held = key_secrets(&site.spec.secrets).remove(&secrets.key_secret).unwrap_or_default();
        let mut own = String::new();
        for recipient in held {
            let path = site.session.key_file(&recipient).ok_or_else(none)?;
            let read = std::fs::read_to_string(&path);
            own.push_str(&read.map_err(|source| SiteError::Read { path, source })?);
        }
        let own_public = Identities::parse(&own)?.recipients();
        let new = age::x25519::Identity::generate();
        Ok(Self {
            tenant: tenant.to_string(),
            key_secret: secrets.key_secret.clone(),
            files,
            own: own.into(),
            own_public,
            new_public: new.to_public().to_string(),
            new: new.to_string(),
        })
    }

    /// The new key becomes a recipient beside the old one.
    pub fn add(&mut self) -> Result<Sealed, OpenError> {
        let (keys, new) = (self.keys()?, self.new_public.clone());
        self.each(|file, text| with_recipient(file, text, &keys, &new))
    }

    /// A new data key for the same recipients.
    pub fn reseal(&mut self) -> Result<Sealed, OpenError> {
        let keys = self.keys()?;
        self.each(|file, text| with_new_data_key(file, text, &keys))
    }

    /// The old keys are no recipients any more.
    pub fn remove(&mut self) -> Result<Sealed, OpenError> {
        let (keys, old) = (self.keys()?, self.own_public.clone());
        self.each(|file, text| {
            let fewer = old
                .iter()
                .try_fold(text.to_string(), |text, one| without_recipient(file, &text, one));
            with_new_data_key(file, &fewer?, &keys)
        })
    }

    /// Whether the old keys open nothing of what the rotation has made.
    pub fn is_revoked(&self) -> bool {
        let old = Identities::parse(self.own.expose_secret());
        let opens = |file: &str, text: &str| {
            !matches!(
                old.as_ref().map(|old| open(file, text, old)),
                Ok(Err(OpenError::NoMatchingKey { .. }))
            )
        };
        !self.files.iter().any(|(file, text)| opens(file, text))
    }

    /// The files with one value changed: the path in them, the value's hash, and the hashes that all
    /// values of each file then have.
    pub fn change(
        &mut self,
        before: &BTreeMap<String, ValueHashes>,
        value: &str,
    ) -> Result<Changed, OpenError> {
        let keys = self.keys()?;
        let mut changed = String::new();
        let mut hashes = Vec::new();
        let sealed = self.each(|file, text| {
            let known = before.get(file).cloned().unwrap_or_default();
            let Some((path, _)) = known.iter().next_back() else { return Ok(text.to_string()) };
            changed.clone_from(path);
            let mut after = known.clone();
            after.insert(path.clone(), sha256(value.as_bytes()));
            hashes.push(after);
            with_value(file, text, &keys, &path.replace('/', "."), value)
        })?;
        Ok(Changed { sealed, path: changed, hash: sha256(value.as_bytes()), hashes })
    }

    /// The entries of the key Secret; none where there must be no Secret.
    pub(super) fn entries(&self, held: HeldKeys) -> Option<BTreeMap<String, SecretString>> {
        let own = (format!("{}.agekey", self.tenant), self.own.clone());
        let new = (format!("{}-new.agekey", self.tenant), self.new.clone());
        match held {
            HeldKeys::Committed => Some([own].into()),
            HeldKeys::Both => Some([own, new].into()),
            HeldKeys::NewOnly => Some([new].into()),
            HeldKeys::Misnamed => Some([(format!("{}.key", self.tenant), own.1)].into()),
            HeldKeys::Absent => None,
        }
    }

    /// One of the files.
    pub fn file(&self) -> Option<&str> {
        self.files.keys().next().map(String::as_str)
    }

    fn keys(&self) -> Result<Identities, OpenError> {
        let both = [self.own.expose_secret(), self.new.expose_secret()].join("\n");
        Identities::parse(&both)
    }

    fn each(
        &mut self,
        mut edit: impl FnMut(&str, &str) -> Result<String, OpenError>,
    ) -> Result<Sealed, OpenError> {
        for (file, text) in &mut self.files {
            *text = edit(file, text)?;
        }
        Ok(self.files.clone())
    }
}
