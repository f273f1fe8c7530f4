//! Secrets: compared by hash, opened with the session's own keys, refused with a wrong one.
//! No value leaves this file.

use std::collections::BTreeMap;
use std::time::Duration;

use age::secrecy::ExposeSecret;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt};
use partywall_core::contract::{Contract, Tenant};
use partywall_core::layout::{Layout, folder_of};
use partywall_core::observation::{Observation, SecretObservation};
use partywall_core::probe::{SecretAsk, SecretProbe};
use partywall_core::source::SourceLocation;
use serde_json::{Value, json};

use super::harness_pods::object;
use crate::apply::{apply, condition};
use crate::push::{hash_leaves, key_secrets};
use crate::random::nonce;
use crate::session::Session;
use crate::spec::TenantSecrets;
use crate::wait::{Poll, Wait, until};

/// The beginning of the names of the Kustomizations that have a wrong key.
const WRONG_KEY: &str = "partywall-wrong-key";
/// A Flux Kustomization reports a wrong key as soon as it has tried once.
const WRONG_KEY_WAIT: Wait = Wait::seconds(20).every(Duration::from_millis(150));

/// What secret probes are answered from.
pub(super) struct Vault<'a> {
    pub client: &'a Client,
    pub session: &'a Session,
    pub contract: &'a Contract,
}

impl Vault<'_> {
    /// Answer one probe.
    pub(super) async fn observe(&self, probe: &SecretProbe) -> Observation {
        let seen = match probe.ask {
            SecretAsk::ArrivesDecrypted => self.arrived(&probe.tenant).await,
            SecretAsk::OpensWithOwnKeyOnly => self.openings(&probe.tenant),
            SecretAsk::RefusesWrongKey => self.wrong_key(&probe.tenant).await,
            SecretAsk::NothingReadableInGit => self.scan(&probe.tenant),
            SecretAsk::CanariesStayPut => self.search(&probe.tenant).await,
            SecretAsk::RefusesNeighboursFile => self.copies(&probe.tenant).await,
            // Flux looks neither at the MAC nor at earlier commits.
            SecretAsk::AsSealed | SecretAsk::NothingReadableInHistory => {
                Err("the files tell, and a cluster does not".to_string())
            }
        };
        seen.map_or_else(|detail| Observation::Failed { detail }, Observation::Secret)
    }

    /// The tree of the commit that was pushed.
    pub(super) fn pushed_tree(&self) -> Result<Layout, String> {
        let tree = self.session.file("work/deployments");
        partywall_offline::load::working_tree(&tree).map_err(|error| error.to_string())
    }

    async fn arrived(&self, tenant: &Tenant) -> Result<SecretObservation, String> {
        let of_tenant = self
            .session
            .expectations
            .iter()
            .filter(|expectation| expectation.tenant == tenant.name);
        let expected: BTreeMap<String, BTreeMap<String, String>> = of_tenant
            .map(|expectation| (expectation.file.clone(), expectation.values.clone()))
            .collect();
        self.must_be_of_this_commit(tenant).await?;
        let mut seen = BTreeMap::new();
        for namespace in &tenant.namespaces {
            for (name, key) in self.secrets_of_releases(namespace).await? {
                let hashes = self.hashes(namespace, &name, &key).await?;
                seen.insert(format!("{namespace}/{name}"), hashes);
            }
        }
        if seen.is_empty() {
            return Err(format!("no HelmRelease of {} takes values from a Secret", tenant.name));
        }
        Ok(SecretObservation::Arrived { expected, seen })
    }

    /// Flux keeps what an earlier commit made when a later one cannot be built, so that a Secret
    /// which stands there tells nothing of the commit that is judged.
    async fn must_be_of_this_commit(&self, tenant: &Tenant) -> Result<(), String> {
        for file in tenant.secrets.iter().flat_map(|secrets| &secrets.files) {
            let applier = self.kustomization_of(file).await?;
            if !condition(&applier, "Ready") || !self.is_at_commit(&applier) {
                let namespace = applier.namespace().unwrap_or_default();
                return Err(format!(
                    "Kustomization {namespace}/{} did not apply this commit: what stands is of an \
                     earlier one",
                    applier.name_any()
                ));
            }
        }
        Ok(())
    }

    /// Name and entry of every Secret that a HelmRelease of the namespace takes values from.
    async fn secrets_of_releases(&self, namespace: &str) -> Result<Vec<(String, String)>, String> {
        let releases = self.api("helm.toolkit.fluxcd.io", "v2", "HelmRelease", namespace);
        let releases = releases.list(&ListParams::default()).await;
        let releases = releases.map_err(|error| format!("failed to list HelmReleases: {error}"))?;
        let sources = releases.iter().flat_map(|release| {
            release.data["spec"]["valuesFrom"].as_array().cloned().unwrap_or_default()
        });
        let secrets = sources.filter(|source| source["kind"] == "Secret").filter_map(|source| {
            let key = source["valuesKey"].as_str().unwrap_or("values.yaml");
            Some((source["name"].as_str()?.to_string(), key.to_string()))
        });
        Ok(secrets.collect())
    }

    async fn hashes(
        &self,
        namespace: &str,
        name: &str,
        key: &str,
    ) -> Result<BTreeMap<String, String>, String> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = secrets.get(name).await;
        let secret = secret.map_err(|error| format!("Secret {namespace}/{name}: {error}"))?;
        let Some(bytes) = secret.data.as_ref().and_then(|data| data.get(key)) else {
            return Ok(BTreeMap::new());
        };
        let text = String::from_utf8_lossy(&bytes.0);
        // The parser's own message could quote a value.
        let document: Value = serde_saphyr::from_str(&text)
            .map_err(|_| format!("entry `{key}` of Secret {namespace}/{name} is not YAML"))?;
        Ok(hash_leaves(&document))
    }

    fn openings(&self, tenant: &Tenant) -> Result<SecretObservation, String> {
        let layout = self.pushed_tree()?;
        let mut keys = BTreeMap::new();
        for other in &self.contract.tenants {
            if let Some(key) = self.key_of(other)? {
                keys.insert(other.name.clone(), key);
            }
        }
        let files = tenant.secrets.as_ref().map(|secrets| secrets.files.clone());
        let files = files.unwrap_or_default();
        let mut files = partywall_offline::sops::openings(&layout, &files, &keys);
        for opening in &mut files {
            opening.strangers = self.strangers(&layout, &opening.file);
        }
        let with_secrets = self.contract.tenants.iter().filter(|other| other.secrets.is_some());
        let tenants = with_secrets.map(|other| other.name.clone()).collect();
        Ok(SecretObservation::Openings { tenants, files })
    }

    /// Recipients of a pushed file that stand for nobody of the contract, as they were committed.
    fn strangers(&self, layout: &Layout, file: &str) -> Vec<(SourceLocation, String)> {
        let Some(text) = layout.files.get(file) else { return Vec::new() };
        // A file whose recipients cannot be read was opened by nobody, which is judged already.
        let sealed_to = partywall_offline::sops::recipients(file, text).unwrap_or_default();
        let secrets = self.contract.tenants.iter().filter_map(|tenant| tenant.secrets.as_ref());
        let mut known: Vec<&String> = secrets.flat_map(|secrets| &secrets.recipients).collect();
        known.extend(&self.contract.recovery_recipients);
        let committed = |fresh: &String| {
            let mut pairs = self.session.recipients.iter();
            pairs.find(|(_, one)| *one == fresh).map_or(fresh.clone(), |(before, _)| before.clone())
        };
        let named = sealed_to.into_iter().map(|one| (one.location, committed(&one.key)));
        named.filter(|(_, key)| !known.contains(&key)).collect()
    }

    /// The private key that stands for the tenant's in this session: what its key Secret holds
    /// in the cluster, so that an operator's key which several tenants list is nobody's own.
    pub(super) fn key_of(&self, tenant: &Tenant) -> Result<Option<String>, String> {
        let Some(secrets) = &tenant.secrets else { return Ok(None) };
        let all: Vec<TenantSecrets> =
            self.contract.tenants.iter().filter_map(TenantSecrets::of).collect();
        let recipients = key_secrets(&all).remove(&secrets.key_secret).unwrap_or_default();
        let mut text = String::new();
        for recipient in recipients {
            let Some(path) = self.session.key_file(&recipient) else { continue };
            let read = std::fs::read_to_string(&path);
            text.push_str(&read.map_err(|error| format!("{}: {error}", path.display()))?);
        }
        Ok((!text.is_empty()).then_some(text))
    }

    fn scan(&self, tenant: &Tenant) -> Result<SecretObservation, String> {
        let layout = self.pushed_tree()?;
        let findings = partywall_offline::scan::readable_secrets(&layout);
        // A finding in a folder of other tenants only is theirs; everything else is everybody's.
        let holds = |owner: &Tenant, file: &str| {
            let files = owner.secrets.iter().flat_map(|secrets| &secrets.files);
            files.into_iter().any(|path| folder_of(path) == folder_of(file))
        };
        let others = || self.contract.tenants.iter().filter(|other| other.name != tenant.name);
        let foreign = |file: &str| !holds(tenant, file) && others().any(|other| holds(other, file));
        let findings = findings.into_iter().filter(|(place, _)| !foreign(&place.file)).collect();
        Ok(SecretObservation::Scan { files: layout.files.len(), findings })
    }

    async fn wrong_key(&self, tenant: &Tenant) -> Result<SecretObservation, String> {
        let secrets = tenant.secrets.as_ref();
        let secrets = secrets.ok_or_else(|| format!("{} has no secrets", tenant.name))?;
        let file = secrets.files.first();
        let file = file.ok_or_else(|| format!("{} has no encrypted file", tenant.name))?;
        let original = self.kustomization_of(file).await?;
        let namespace = original.namespace().unwrap_or_default();
        let key = original.data["spec"]["decryption"]["secretRef"]["name"].as_str();
        if key.map(|key| format!("{namespace}/{key}")).as_ref() != Some(&secrets.key_secret) {
            let object = format!("Kustomization {namespace}/{}", original.name_any());
            return Ok(SecretObservation::NoDecryption { object });
        }
        // A name that was never there before has no status of an earlier run.
        let nonce = nonce().map_err(|error| error.to_string())?;
        let name = format!("{WRONG_KEY}-{}-{}", tenant.name, &nonce[..8]);
        let control_ready = condition(&original, "Ready") && self.is_at_commit(&original);
        let seen = self.try_wrong_key(&namespace, &name, &original).await;
        self.remove(&namespace, &name).await;
        let (reason, message) = seen?;
        let object = format!("{namespace}/{name}");
        let message = partywall_offline::defect::clean(&message, &[]);
        Ok(SecretObservation::Status { object, reason, message, control_ready })
    }

    /// Whether the object was last tried at the commit that the session holds.
    fn is_at_commit(&self, object: &DynamicObject) -> bool {
        let revision = object.data["status"]["lastAttemptedRevision"].as_str().unwrap_or_default();
        self.session.pushed.as_ref().is_some_and(|pushed| revision.ends_with(&pushed.commit))
    }

    /// The Kustomization whose path is the nearest folder of the file.
    pub(super) async fn kustomization_of(&self, file: &str) -> Result<DynamicObject, String> {
        let kustomizations = self.kustomizations("");
        let found = kustomizations.list(&ListParams::default()).await;
        let found = found.map_err(|error| format!("failed to list Kustomizations: {error}"))?;
        let path = |object: &DynamicObject| {
            let path = object.data["spec"]["path"].as_str().unwrap_or_default().to_string();
            path.trim_start_matches("./").trim_end_matches('/').to_string()
        };
        let above = |object: &DynamicObject| {
            let path = path(object);
            !path.is_empty()
                && file.starts_with(&format!("{path}/"))
                && !object.name_any().starts_with(WRONG_KEY)
        };
        let nearest = found.items.into_iter().filter(above).max_by_key(|object| path(object).len());
        nearest.ok_or_else(|| format!("no Flux Kustomization builds the folder of {file}"))
    }

    /// The same Kustomization under another name, with a fresh key that opens nothing.
    async fn try_wrong_key(
        &self,
        namespace: &str,
        name: &str,
        original: &DynamicObject,
    ) -> Result<(String, String), String> {
        let key = age::x25519::Identity::generate().to_string();
        let secret = object(json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "stringData": {"wrong.agekey": key.expose_secret()},
        }));
        apply(self.client, &secret).await.map_err(|error| error.to_string())?;
        let mut spec = original.data["spec"].clone();
        // Everything but the key is as the layout has it.
        spec["decryption"]["secretRef"]["name"] = json!(name);
        spec["prune"] = json!(false);
        spec["wait"] = json!(false);
        if let Some(fields) = spec.as_object_mut() {
            fields.remove("dependsOn");
            fields.remove("healthChecks");
        }
        let copy = object(json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }));
        apply(self.client, &copy).await.map_err(|error| error.to_string())?;
        self.ready_condition(namespace, name).await
    }

    pub(super) async fn ready_condition(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<(String, String), String> {
        let kustomizations = self.kustomizations(namespace);
        let waited = until(format!("a status of {namespace}/{name}"), WRONG_KEY_WAIT, || async {
            let found = match kustomizations.get(name).await {
                Ok(found) => found,
                Err(error) => {
                    return Poll::<_, std::convert::Infallible>::not_yet(error.to_string());
                }
            };
            let conditions = found.data["status"]["conditions"].as_array().cloned();
            let conditions = conditions.unwrap_or_default();
            let generation = found.metadata.generation;
            let ready = conditions.iter().find(|condition| {
                condition["type"] == "Ready"
                    && condition["observedGeneration"].as_i64() == generation
            });
            let text = |field: &str| {
                ready.and_then(|ready| ready[field].as_str()).unwrap_or_default().to_string()
            };
            match text("status").as_str() {
                "True" | "False" => Poll::Ready((text("reason"), text("message"))),
                _ => Poll::not_yet(text("message")),
            }
        });
        waited.await.map_err(|error| error.to_string())
    }

    async fn remove(&self, namespace: &str, name: &str) {
        let delete = DeleteParams::default();
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        // What is already gone needs no removal, and the names are the harness's own.
        let _kustomization = self.kustomizations(namespace).delete(name, &delete).await;
        let _secret = secrets.delete(name, &delete).await;
    }

    fn kustomizations(&self, namespace: &str) -> Api<DynamicObject> {
        self.api("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", namespace)
    }

    fn api(&self, group: &str, version: &str, kind: &str, namespace: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        if namespace.is_empty() {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, &resource)
        }
    }
}
