//! The session's own age keys. The private half lives in the session's folder (for its owner
//! only) and in the cluster's Secrets, and nowhere else.

use std::collections::{BTreeMap, BTreeSet};

use age::secrecy::ExposeSecret;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, ObjectMeta, Patch, PatchParams};
use kube::{Client, ResourceExt};

use super::error::PushError;
use crate::apply::FIELD_MANAGER;
use crate::session::{Session, SessionError};
use crate::spec::TenantSecrets;

/// Keys that did not get into the cluster.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key Secret is not named `namespace/name`.
    #[error(
        "{tenant} keeps its key in `{key_secret}`, which is not a namespace/name \
         (hint: correct keySecret in partywall.yaml)"
    )]
    Name {
        /// The tenant.
        tenant: String,
        /// What the contract says.
        key_secret: String,
    },
    /// The API server refused it.
    #[error("failed to apply the key Secret {name}: {source}")]
    Refused {
        /// `namespace/name`.
        name: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// The session has no such key.
    #[error(transparent)]
    Push(#[from] PushError),
}

/// Make a fresh key for each committed recipient that has none in this session yet.
pub(crate) fn ensure_keys(
    session: &mut Session,
    recipients: impl IntoIterator<Item = String>,
) -> Result<(), SessionError> {
    let mut made = false;
    for recipient in recipients {
        if session.recipients.contains_key(&recipient) {
            continue;
        }
        let identity = age::x25519::Identity::generate();
        let public = identity.to_public().to_string();
        let text = format!("{}\n", identity.to_string().expose_secret());
        session.write_private(&key_file(&public), text.as_bytes())?;
        session.recipients.insert(recipient, public);
        made = true;
    }
    if made { session.save() } else { Ok(()) }
}

fn key_file(public: &str) -> String {
    format!("keys/{public}.agekey")
}

/// The fresh public key that stands for a committed one.
pub(crate) fn fresh(session: &Session, recipient: &str) -> Result<String, PushError> {
    let found = session.recipients.get(recipient).cloned();
    found.ok_or_else(|| PushError::UnknownRecipient { recipient: recipient.to_string() })
}

/// The private half of a fresh public key.
pub(crate) fn private(session: &Session, public: &str) -> Result<String, PushError> {
    let path = session.file(&key_file(public));
    std::fs::read_to_string(&path)
        .map_err(|source| PushError::Session(SessionError::Io { action: "read", path, source }))
}

impl Session {
    /// The file with the private key that stands for a committed recipient in this session.
    pub fn key_file(&self, recipient: &str) -> Option<std::path::PathBuf> {
        self.recipients.get(recipient).map(|public| self.file(&key_file(public)))
    }
}

/// Which committed recipients each key Secret stands for. A recipient that several Secrets'
/// tenants list (an operator's key, say) is in the cluster only where a tenant has no other.
pub(crate) fn key_secrets(tenants: &[TenantSecrets]) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    // What a key service keeps is in no Secret.
    for tenant in tenants.iter().filter(|tenant| !tenant.key_secret.is_empty()) {
        all.entry(tenant.key_secret.clone()).or_default().extend(tenant.recipients.clone());
    }
    let holders = |recipient: &String| all.values().filter(|set| set.contains(recipient)).count();
    let own = |set: &BTreeSet<String>| {
        let own: BTreeSet<String> =
            set.iter().filter(|recipient| holders(recipient) == 1).cloned().collect();
        if own.is_empty() { set.clone() } else { own }
    };
    all.iter().map(|(secret, set)| (secret.clone(), own(set))).collect()
}

/// Put the fresh private keys where Flux looks for them.
pub async fn apply_key_secrets(
    client: &Client,
    session: &Session,
    tenants: &[TenantSecrets],
) -> Result<(), KeyError> {
    for (name, recipients) in key_secrets(tenants) {
        let first = tenants.iter().find(|tenant| tenant.key_secret == name);
        let tenant = first.map(|tenant| tenant.tenant.clone()).unwrap_or_default();
        let Some((namespace, secret)) = name.split_once('/') else {
            return Err(KeyError::Name { tenant, key_secret: name });
        };
        let mut identities = String::new();
        for recipient in &recipients {
            identities.push_str(&private(session, &fresh(session, recipient)?)?);
        }
        // Flux reads only entries whose name ends like this; others it leaves out in silence.
        let entry = format!("{tenant}.agekey");
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(secret.to_string()),
                namespace: Some(namespace.to_string()),
                ..ObjectMeta::default()
            },
            data: Some([(entry, ByteString(identities.into_bytes()))].into()),
            ..Secret::default()
        };
        let refused = |source| KeyError::Refused { name: name.clone(), source: Box::new(source) };
        apply_secret(client, secret).await.map_err(refused)?;
    }
    Ok(())
}

/// Apply a Secret, in a namespace that Flux may not have made yet.
pub(crate) async fn apply_secret(client: &Client, secret: Secret) -> Result<(), kube::Error> {
    let namespace = secret.namespace().unwrap_or_default();
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let bare = Namespace {
        metadata: ObjectMeta { name: Some(namespace.clone()), ..ObjectMeta::default() },
        ..Namespace::default()
    };
    namespaces.patch(&namespace, &params, &Patch::Apply(&bare)).await?;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    secrets.patch(&secret.name_any(), &params, &Patch::Apply(&secret)).await.map(|_applied| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str, recipients: &[&str], key_secret: &str) -> TenantSecrets {
        TenantSecrets {
            tenant: name.to_string(),
            files: Vec::new(),
            recipients: recipients.iter().map(ToString::to_string).collect(),
            key_secret: key_secret.to_string(),
        }
    }

    #[test]
    fn a_key_secret_holds_its_tenants_own_key_and_not_the_operators() {
        let tenants = [
            tenant("a", &["age1a", "age1ops"], "flux-system/a"),
            tenant("b", &["age1b", "age1ops"], "flux-system/b"),
        ];
        let secrets = key_secrets(&tenants);
        assert_eq!(secrets["flux-system/a"], ["age1a".to_string()].into());
        assert_eq!(secrets["flux-system/b"], ["age1b".to_string()].into());
    }

    #[test]
    fn one_key_for_all_stays_one_key_for_all() {
        let tenants = ["a", "b"].map(|name| tenant(name, &["age1all"], "flux-system/age"));
        assert_eq!(key_secrets(&tenants)["flux-system/age"], ["age1all".to_string()].into());
    }
}
