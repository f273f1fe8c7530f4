//! A neighbour's sealed file in a tenant's way through Flux: on a branch of its own, which no
//! object of the layout follows, built with the tenant's decryption and account.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, DynamicObject};
use kube::{Client, ResourceExt};
use partywall_core::contract::Tenant;
use partywall_core::inventory::HARNESS_LABEL;
use partywall_core::observation::{CopyFate, FileCopy, SecretObservation};
use serde_json::{Value, json};

use super::harness_pods::object;
use super::secret::Vault;
use crate::apply::{api_of, apply};
use crate::push::{hash_leaves, push_scratch_branch};
use crate::random::nonce;
use crate::reconcile::{Flux, ready_condition};
use crate::wait::{Poll, Wait, until};

/// The beginning of the names of everything that is made here.
const COPY: &str = "partywall-copy";
/// What Flux says where no key that it has opens a file.
const NO_KEY: &str = "cannot get sops data key";
const BUILT: Wait = Wait::seconds(30).every(Duration::from_millis(150));

/// One copy on its way.
struct Copy {
    name: String,
    owner: String,
    file: String,
}

impl Vault<'_> {
    /// Whether Flux opens other tenants' files for this one.
    pub(super) async fn copies(&self, tenant: &Tenant) -> Result<SecretObservation, String> {
        let secrets = tenant.secrets.as_ref();
        let own = secrets.and_then(|secrets| secrets.files.first());
        let own = own.ok_or_else(|| format!("{} has no encrypted file", tenant.name))?;
        let original = self.kustomization_of(own).await?;
        let nonce = nonce().map_err(|error| error.to_string())?;
        let branch = format!("{COPY}-{}", &nonce[..10]);
        let copy = |number: usize, owner: &str, file: &str| Copy {
            name: format!("{branch}-{number}"),
            owner: owner.to_string(),
            file: file.to_string(),
        };
        let mut copies = vec![copy(0, &tenant.name, own)];
        for other in self.contract.tenants.iter().filter(|other| other.name != tenant.name) {
            for file in other.secrets.iter().flat_map(|secrets| &secrets.files) {
                copies.push(copy(copies.len(), &other.name, file));
            }
        }
        let namespace = tenant.namespaces.first();
        let namespace = namespace.ok_or_else(|| format!("{} has no namespace", tenant.name))?;
        self.push_copies(&branch, namespace, &copies).await?;
        let way = Way { vault: self, original: &original, branch: &branch, namespace };
        let fates = way.fates(&copies).await;
        way.remove(&copies).await;
        let mut fates = fates?.into_iter();
        let opens_own = matches!(fates.next(), Some(CopyFate::Opened { .. }));
        let others = copies.into_iter().skip(1).zip(fates);
        let copies =
            others.map(|(copy, fate)| FileCopy { owner: copy.owner, file: copy.file, fate });
        Ok(SecretObservation::Copies { opens_own, copies: copies.collect() })
    }

    /// The files as they were pushed, each in a folder that makes a Secret of it.
    async fn push_copies(
        &self,
        branch: &str,
        namespace: &str,
        copies: &[Copy],
    ) -> Result<(), String> {
        let layout = self.pushed_tree()?;
        let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
        for copy in copies {
            let text = layout.files.get(&copy.file);
            let text = text.ok_or_else(|| format!("the layout has no file {}", copy.file))?;
            let build = json!({
                "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
                "namespace": namespace,
                "secretGenerator": [{"name": copy.name, "files": ["values.yaml=secrets.yaml"]}],
                "generatorOptions": {"disableNameSuffixHash": true},
            });
            write(&scratch.path().join(&copy.name), text, &build.to_string())?;
        }
        let pushed = push_scratch_branch(self.session, scratch.path(), branch).await;
        pushed.map_err(|error| error.to_string())
    }
}

fn write(folder: &Path, sealed: &str, build: &str) -> Result<(), String> {
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(folder.join("secrets.yaml"), sealed))
        // JSON is YAML.
        .and_then(|()| std::fs::write(folder.join("kustomization.yaml"), build))
        .map_err(|error| error.to_string())
}

/// The tenant's own way, to other files.
struct Way<'a> {
    vault: &'a Vault<'a>,
    original: &'a DynamicObject,
    branch: &'a str,
    namespace: &'a str,
}

impl Way<'_> {
    fn client(&self) -> &Client {
        self.vault.client
    }

    fn flux_namespace(&self) -> String {
        self.original.namespace().unwrap_or_default()
    }

    async fn fates(&self, copies: &[Copy]) -> Result<Vec<CopyFate>, String> {
        let source = self.source().await?;
        apply(self.client(), &source).await.map_err(|error| error.to_string())?;
        self.fetched(&source).await?;
        for copy in copies {
            let applied = apply(self.client(), &self.kustomization(copy)).await;
            applied.map_err(|error| error.to_string())?;
        }
        Ok(futures::future::join_all(copies.iter().map(|copy| self.fate(copy))).await)
    }

    /// The source of the tenant's Kustomization, on the branch of the copies.
    async fn source(&self) -> Result<DynamicObject, String> {
        let reference = &self.original.data["spec"]["sourceRef"];
        let name = reference["name"].as_str().unwrap_or_default();
        let own = self.flux_namespace();
        let namespace = reference["namespace"].as_str().unwrap_or(&own);
        let resource = Flux::GitRepository.resource();
        let sources: Api<DynamicObject> =
            Api::namespaced_with(self.client().clone(), namespace, &resource);
        let found = sources.get(name).await;
        let found = found.map_err(|error| format!("GitRepository {namespace}/{name}: {error}"))?;
        let mut spec = found.data["spec"].clone();
        spec["ref"] = json!({"branch": self.branch});
        spec["suspend"] = json!(false);
        Ok(object(json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": self.branch, "namespace": namespace,
                         "labels": {HARNESS_LABEL: "copy"}},
            "spec": spec,
        })))
    }

    async fn fetched(&self, source: &DynamicObject) -> Result<(), String> {
        let api = api_of(self.client(), source).map_err(|error| error.to_string())?;
        let condition = format!("branch {} being fetched", self.branch);
        let waited = until::<(), std::convert::Infallible, _, _>(condition, BUILT, || async {
            match api.get(self.branch).await {
                Ok(found) if found.data["status"]["artifact"]["revision"].is_string() => {
                    Poll::Ready(())
                }
                Ok(found) => {
                    let ready = ready_condition(&found.data["status"]);
                    Poll::not_yet(ready.map_or("", |ready| ready.message))
                }
                Err(error) => Poll::not_yet(error.to_string()),
            }
        });
        waited.await.map_err(|error| error.to_string())
    }

    /// Everything but the path is as the layout has it.
    fn kustomization(&self, copy: &Copy) -> DynamicObject {
        let mut spec = self.original.data["spec"].clone();
        if let Some(fields) = spec.as_object_mut() {
            for field in ["dependsOn", "healthChecks", "patches", "postBuild", "suspend"] {
                fields.remove(field);
            }
        }
        spec["path"] = json!(format!("./{}", copy.name));
        spec["prune"] = json!(true);
        spec["wait"] = json!(false);
        spec["sourceRef"]["name"] = json!(self.branch);
        object(json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": copy.name, "namespace": self.flux_namespace(),
                         "labels": {HARNESS_LABEL: "copy"}},
            "spec": spec,
        }))
    }

    async fn fate(&self, copy: &Copy) -> CopyFate {
        let unknown = |detail: String| CopyFate::Unknown { detail };
        let namespace = self.flux_namespace();
        let label = format!("Kustomization {namespace}/{}", self.original.name_any());
        let (reason, message) = match self.vault.ready_condition(&namespace, &copy.name).await {
            Ok(said) => said,
            Err(error) => return unknown(error),
        };
        let secrets: Api<Secret> = Api::namespaced(self.client().clone(), self.namespace);
        match secrets.get_opt(&copy.name).await {
            Ok(Some(secret)) => self.arrived(copy, &label, &secret),
            Ok(None) if message.contains(NO_KEY) => {
                CopyFate::Refused { detail: format!("a copy of {label} says {reason}: {NO_KEY}") }
            }
            Ok(None) => {
                let message = partywall_offline::defect::clean(&message, &[]);
                unknown(format!("a copy of {label} says {reason}: {message}"))
            }
            Err(error) => unknown(error.to_string()),
        }
    }

    /// What stands is the plaintext only if its values are those that the owner put in.
    fn arrived(&self, copy: &Copy, label: &str, secret: &Secret) -> CopyFate {
        let bytes = secret.data.as_ref().and_then(|data| data.get("values.yaml"));
        let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned());
        let document = text.and_then(|text| serde_saphyr::from_str::<Value>(&text).ok());
        let seen = document.as_ref().map(hash_leaves).unwrap_or_default();
        let expectations = self.vault.session.expectations.iter();
        let mut of_file = expectations.filter(|one| one.file == copy.file);
        let expected: BTreeMap<String, String> =
            of_file.next().map(|one| one.values.clone()).unwrap_or_default();
        let same = expected.iter().filter(|(path, hash)| seen.get(*path) == Some(*hash)).count();
        let (namespace, owner) = (self.namespace, &copy.owner);
        match same {
            0 if seen.keys().any(|path| path.starts_with("sops/")) => {
                CopyFate::Refused { detail: format!("{label} applies it as it is, sealed") }
            }
            0 => CopyFate::Unknown {
                detail: format!("what {label} makes of it is not what {owner} put in"),
            },
            _ => CopyFate::Opened {
                detail: format!(
                    "{label} put {same} values of {owner} into Secret {namespace}/{} (by SHA-256)",
                    copy.name
                ),
            },
        }
    }

    /// Flux prunes what the Kustomizations made. Names are the harness's own.
    async fn remove(&self, copies: &[Copy]) {
        let delete = DeleteParams::default();
        for copy in copies {
            if let Ok(api) = api_of(self.client(), &self.kustomization(copy)) {
                let _removed = api.delete(&copy.name, &delete).await;
            }
        }
        if let Ok(source) = self.source().await
            && let Ok(api) = api_of(self.client(), &source)
        {
            for copy in copies {
                self.pruned(copy).await;
            }
            let _removed = api.delete(self.branch, &delete).await;
        }
    }

    /// A Secret with a neighbour's values must not stay.
    async fn pruned(&self, copy: &Copy) {
        let secrets: Api<Secret> = Api::namespaced(self.client().clone(), self.namespace);
        let condition = format!("Secret {} being gone", copy.name);
        let waited = until::<(), std::convert::Infallible, _, _>(condition, BUILT, || async {
            match secrets.get_opt(&copy.name).await {
                Ok(None) => Poll::Ready(()),
                Ok(Some(_)) => Poll::not_yet("it stands"),
                Err(error) => Poll::not_yet(error.to_string()),
            }
        });
        if waited.await.is_err() {
            let _removed = secrets.delete(&copy.name, &DeleteParams::default()).await;
        }
    }
}
