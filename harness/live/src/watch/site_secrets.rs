//! What experiments do with a tenant's keys and sealed files.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use age::secrecy::ExposeSecret;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, ObjectMeta};
use partywall_core::inventory::HARNESS_LABEL;

use super::kept::{SecretMeter, ValueHashes};
use super::rotor::{HeldKeys, Rotor};
use super::site::{Site, SiteError, failed};
use crate::push::{PushOptions, Pushed, apply_key_secrets, apply_secret, push_layout, sha256};
use crate::random::nonce;
use crate::reconcile::{Flux, ready_condition, request};
use crate::wait::{Poll, Wait, WaitError, until};

/// What Flux says of a Kustomization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FluxSaid {
    /// `flux-system/customer-a`.
    pub object: String,
    /// Its `Ready` reason.
    pub reason: String,
    /// Its `Ready` message, one line, with secrets cut.
    pub message: String,
}

impl Site {
    /// What went into the cluster by a tenant's files, by hash.
    pub fn expected(&self, tenant: &str) -> BTreeMap<String, ValueHashes> {
        let own = self.session.expectations.iter().filter(|one| one.tenant == tenant);
        own.map(|one| (one.file.clone(), one.values.clone())).collect()
    }

    /// Begin to look at the Secrets that a tenant's workloads refer to.
    pub fn secret_meter(&self, tenant: &str, namespaces: &[String], begun_us: u64) -> SecretMeter {
        let accepted = self.expected(tenant).into_values().collect();
        SecretMeter::start(self.client.clone(), namespaces.to_vec(), accepted, begun_us)
    }

    /// Push the layout with these sealed files as they are, and these others replaced.
    pub async fn push_sealed(
        &mut self,
        sealed: &BTreeMap<String, String>,
        files: &BTreeMap<String, String>,
    ) -> Result<Pushed, SiteError> {
        let replace = files.iter().map(|(path, text)| (path.clone(), Some(text.clone())));
        let options = PushOptions { replace: replace.collect(), sealed: sealed.clone() };
        Ok(push_layout(&mut self.session, &self.spec, &options).await?)
    }

    /// Let a tenant's key Secret hold these keys.
    pub async fn hold_keys(&self, rotor: &Rotor, held: HeldKeys) -> Result<(), SiteError> {
        let (namespace, name) = rotor.key_secret.split_once('/').unwrap_or_default();
        let Some(entries) = rotor.entries(held) else {
            let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
            let deleted = secrets.delete(name, &DeleteParams::default()).await;
            return deleted.map(|_| ()).map_err(failed("delete the key Secret"));
        };
        let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
        let data = entries.into_iter().map(|(entry, key)| (entry, bytes(key.expose_secret())));
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(name.to_string()),
                namespace: Some(namespace.to_string()),
                ..ObjectMeta::default()
            },
            data: Some(data.collect()),
            ..Secret::default()
        };
        apply_secret(&self.client, secret).await.map_err(failed("apply the key Secret"))
    }

    /// Put every key Secret back as the contract has it.
    pub async fn restore_keys(&self) -> Result<(), SiteError> {
        Ok(apply_key_secrets(&self.client, &self.session, &self.spec.secrets).await?)
    }

    /// Ask the Kustomization that applies a file to look again, and wait until it has and is ready.
    pub async fn applied_again(&self, file: &str, limit: Duration) -> Result<(), SiteError> {
        let token = nonce().map_err(|error| SiteError::Random(error.to_string()))?;
        let object = self.applier(file).await?;
        request(&self.client, Flux::Kustomization, &object, &token).await?;
        let wait = Wait::at_most(limit);
        let condition = format!("Kustomization {} having looked again", object.name_any());
        let waited = until::<(), std::convert::Infallible, _, _>(condition, wait, || async {
            match self.applier(file).await {
                Ok(now) => {
                    let status = &now.data["status"];
                    let has_looked = status["lastHandledReconcileAt"] == token.as_str();
                    let ready = ready_condition(status);
                    let is_ready = ready.as_ref().is_some_and(|ready| ready.status == "True");
                    match has_looked && is_ready {
                        true => Poll::Ready(()),
                        false => Poll::not_yet(ready.map_or("", |ready| ready.message)),
                    }
                }
                Err(error) => Poll::not_yet(error.to_string()),
            }
        });
        Ok(waited.await?)
    }

    /// Ask the Kustomization that applies a file to look again.
    pub async fn look_again(&self, file: &str) -> Result<(), SiteError> {
        let token = nonce().map_err(|error| SiteError::Random(error.to_string()))?;
        let object = self.applier(file).await?;
        Ok(request(&self.client, Flux::Kustomization, &object, &token).await?)
    }

    /// Wait until the Kustomization that applies a file says that it failed, in these words. Others
    /// may come first: that something it depends on is not ready, say.
    pub async fn refused(
        &self,
        file: &str,
        expected: &str,
        limit: Duration,
    ) -> Result<FluxSaid, WaitError<std::convert::Infallible>> {
        let condition = format!("a failure of the Kustomization that applies {file}");
        until(condition, Wait::at_most(limit), || async {
            let object = match self.applier(file).await {
                Ok(object) => object,
                Err(error) => return Poll::not_yet(error.to_string()),
            };
            let ready = ready_condition(&object.data["status"]);
            let Some(ready) = ready.filter(|ready| ready.status == "False") else {
                return Poll::not_yet("it does not say that it failed");
            };
            let message = partywall_offline::defect::clean(ready.message, &[]);
            if !message.contains(expected) {
                return Poll::not_yet(format!("{}: {message}", ready.reason));
            }
            let namespace = object.namespace().unwrap_or_default();
            let message = message.lines().next().unwrap_or_default().to_string();
            Poll::Ready(FluxSaid {
                object: format!("{namespace}/{}", object.name_any()),
                reason: ready.reason.to_string(),
                message,
            })
        })
        .await
    }

    /// Whether a Secret that pods of these namespaces refer to has an entry with this hash.
    pub async fn pods_are_given(
        &self,
        namespaces: &[String],
        hash: &str,
    ) -> Result<bool, SiteError> {
        for namespace in namespaces {
            let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
            let all = pods.list(&ListParams::default()).await.map_err(failed("list the pods"))?;
            let names: BTreeSet<String> = all.iter().flat_map(super::kept::named_by).collect();
            let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
            for name in names {
                let found = secrets.get_opt(&name).await.map_err(failed("read a Secret"))?;
                let data = found.and_then(|secret| secret.data).unwrap_or_default();
                if data.values().any(|value| sha256(&value.0) == hash) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Names of the Secrets from which the releases of these namespaces take values.
    pub async fn value_secrets(
        &self,
        namespaces: &[String],
    ) -> Result<BTreeSet<String>, SiteError> {
        let releases = Flux::HelmRelease.list(&self.client).await;
        let releases = releases.map_err(failed("list the releases"))?;
        let own = |release: &&DynamicObject| {
            release.namespace().is_some_and(|namespace| namespaces.contains(&namespace))
        };
        let sources = releases.iter().filter(own).flat_map(|release| {
            release.data["spec"]["valuesFrom"].as_array().cloned().unwrap_or_default()
        });
        let secrets = sources.filter(|source| source["kind"] == "Secret");
        Ok(secrets.filter_map(|source| source["name"].as_str().map(str::to_string)).collect())
    }

    /// Running pods of these namespaces that take something from a Secret, by their unique ids.
    pub async fn pods_with_secrets(
        &self,
        namespaces: &[String],
    ) -> Result<BTreeMap<String, String>, SiteError> {
        let mut found = BTreeMap::new();
        for namespace in namespaces {
            let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
            let all = pods.list(&ListParams::default()).await.map_err(failed("list the pods"))?;
            for pod in all {
                let is_ours = pod.labels().contains_key(HARNESS_LABEL);
                if !is_ours && !super::kept::named_by(&pod).is_empty() {
                    let name = format!("{namespace}/{}", pod.name_any());
                    found.insert(pod.uid().unwrap_or_default(), name);
                }
            }
        }
        Ok(found)
    }

    /// Wait until none of these pods (by unique id) is there any more, and others are.
    pub async fn pods_replaced(
        &self,
        namespaces: &[String],
        before: &BTreeMap<String, String>,
        limit: Duration,
    ) -> Result<(), WaitError<std::convert::Infallible>> {
        until("new pods in place of those with the old value", Wait::at_most(limit), || async {
            match self.pods_with_secrets(namespaces).await {
                Ok(now) => match before.iter().find(|(uid, _)| now.contains_key(*uid)) {
                    Some((_, name)) => Poll::not_yet(format!("pod {name} is still there")),
                    None if now.len() < before.len() => Poll::not_yet("not every pod is back"),
                    None => Poll::Ready(()),
                },
                Err(error) => Poll::not_yet(error.to_string()),
            }
        })
        .await
    }

    /// The Kustomization whose path is the nearest folder of a file.
    async fn applier(&self, file: &str) -> Result<DynamicObject, SiteError> {
        let all = Flux::Kustomization.list(&self.client).await;
        let all = all.map_err(failed("list the Kustomizations"))?;
        let path = |object: &DynamicObject| {
            let path = object.data["spec"]["path"].as_str().unwrap_or_default();
            path.trim_start_matches("./").trim_end_matches('/').to_string()
        };
        let above = |object: &DynamicObject| {
            let path = path(object);
            !path.is_empty() && file.starts_with(&format!("{path}/"))
        };
        let nearest = all.into_iter().filter(above).max_by_key(|object| path(object).len());
        nearest.ok_or_else(|| SiteError::NoApplier { file: file.to_string() })
    }
}
