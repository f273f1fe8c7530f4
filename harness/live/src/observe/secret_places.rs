//! Where a tenant's secret values are looked for: everywhere but in the Secrets of its own
//! namespaces.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod, Secret};
use kube::api::{Api, ListParams, LogParams};
use kube::{Resource, ResourceExt};
use partywall_core::contract::{Contract, Tenant};
use partywall_core::inventory::OPEN_NAMESPACE;
use partywall_core::observation::{SearchedPlace, SecretObservation};
use partywall_offline::sops::{Identities, open};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::secret::Vault;
use super::secret_canary::{Canary, SHORTEST, search, search_json};
use super::secret_plant::plant;
use crate::push::sha256;
use crate::random::nonce;
use crate::reconcile::Flux;
use crate::session::Session;

/// Where Flux's controllers run.
const FLUX: &str = "flux-system";
/// A larger log is read from its end.
const LOG_BYTES: i64 = 16 * 1024 * 1024;
/// Larger files of a session are its images and no texts.
const FILE_BYTES: u64 = 16 * 1024 * 1024;
/// The name under which the harness's own canary is found.
const PLANTED: &str = "planted by the harness";

impl Vault<'_> {
    /// Look for the tenant's values everywhere.
    pub(super) async fn search(&self, tenant: &Tenant) -> Result<SecretObservation, String> {
        let own = self.canaries(tenant)?;
        let value = format!("planted-{}", nonce().map_err(|error| error.to_string())?);
        let name = format!("partywall-{}", &value[..20]);
        let planted = plant(self.client, &self.session.bundle.agent, &name, &value).await?;
        let canaries = own.len();
        let searcher =
            Searcher { vault: self, tenant, own, planted: [Canary::new(PLANTED, &value)] };
        let places = searcher.places(&value, &planted.pod).await;
        planted.remove(self.client).await;
        Ok(SecretObservation::Searched { canaries, places })
    }

    /// The values of the tenant's pushed files that no other tenant has.
    fn canaries(&self, tenant: &Tenant) -> Result<Vec<Canary>, String> {
        let layout = self.pushed_tree()?;
        let Some(key) = self.key_of(tenant)? else { return Ok(Vec::new()) };
        let keys = Identities::parse(&key).map_err(|error| error.to_string())?;
        let others = self.session.expectations.iter().filter(|one| one.tenant != tenant.name);
        let others: BTreeSet<&String> = others.flat_map(|one| one.values.values()).collect();
        let mut found = Vec::new();
        for file in tenant.secrets.iter().flat_map(|secrets| &secrets.files) {
            let text = layout.files.get(file).map(String::as_str).unwrap_or_default();
            let opened = open(file, text, &keys).map_err(|error| error.to_string())?;
            let paths = opened.leaf_hashes();
            for value in opened.texts_to_cut(SHORTEST) {
                let hash = sha256(value.expose_secret().as_bytes());
                let path = paths.iter().find(|(_, one)| **one == hash).map(|(path, _)| path);
                if !others.contains(&hash) {
                    let name = format!("{file} {}", path.map(String::as_str).unwrap_or_default());
                    found.push(Canary::new(name, value.expose_secret()));
                }
            }
        }
        Ok(found)
    }
}

/// Where the tenants' secret values stand in the files of a folder: our own reports, say.
pub async fn secrets_in_folder(
    session: &Session,
    contract: &Contract,
    folder: &Path,
) -> Result<Vec<String>, String> {
    let client = session.client().await.map_err(|error| error.to_string())?;
    let vault = Vault { client: &client, session, contract };
    let mut found = Vec::new();
    for tenant in contract.tenants.iter().filter(|tenant| tenant.secrets.is_some()) {
        let own = vault.canaries(tenant)?;
        let planted = [Canary::new(PLANTED, PLANTED)];
        let searcher = Searcher { vault: &vault, tenant, own, planted };
        let mut heap = Heap::default();
        searcher.folder(&mut heap, "file", folder);
        found.extend(heap.failed);
        found.extend(heap.found);
    }
    Ok(found)
}

struct Searcher<'a> {
    vault: &'a Vault<'a>,
    tenant: &'a Tenant,
    own: Vec<Canary>,
    planted: [Canary; 1],
}

/// What was read of one place.
#[derive(Default)]
struct Heap {
    read: usize,
    found: Vec<String>,
    planted: bool,
    failed: Option<String>,
}

impl Searcher<'_> {
    async fn places(&self, value: &str, pod: &str) -> Vec<SearchedPlace> {
        let (flux, events, config_maps, secrets, pods, logs, files) = futures::join!(
            self.flux(),
            self.objects::<Event>(),
            self.objects::<ConfigMap>(),
            self.secrets(),
            self.objects::<Pod>(),
            self.logs(pod),
            self.files(value),
        );
        vec![
            told("objects of Flux", flux),
            told("events", events),
            told("ConfigMaps", config_maps),
            told("Secrets and Helm releases of other namespaces", secrets),
            told("pods", pods),
            told("logs of Flux's controllers", logs),
            told("the diagnostics bundle and the session's files", files),
        ]
    }

    fn bytes(&self, heap: &mut Heap, place: &str, bytes: &[u8]) {
        heap.found.extend(search(&self.own, place, bytes));
        heap.planted |= !search(&self.planted, place, bytes).is_empty();
    }

    fn json(&self, heap: &mut Heap, place: &str, object: &impl Serialize) {
        heap.read += 1;
        let value = serde_json::to_value(object).unwrap_or_default();
        heap.found.extend(search_json(&self.own, place, &value));
        heap.planted |= !search_json(&self.planted, place, &value).is_empty();
    }

    async fn flux(&self) -> Heap {
        let mut heap = Heap::default();
        for kind in Flux::ALL {
            match kind.list(self.vault.client).await {
                Ok(objects) => {
                    for object in objects {
                        let place = place_of(&kind.resource().kind, &object);
                        self.json(&mut heap, &place, &object);
                    }
                }
                // A kind that the cluster does not have holds nothing.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => heap.failed = Some(error.to_string()),
            }
        }
        heap
    }

    async fn objects<K>(&self) -> Heap
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
    {
        let mut heap = Heap::default();
        let api: Api<K> = Api::all(self.vault.client.clone());
        match api.list(&ListParams::default()).await {
            Ok(objects) => {
                for object in objects {
                    self.json(&mut heap, &place_of(&K::kind(&()), &object), &object);
                }
            }
            Err(error) => heap.failed = Some(error.to_string()),
        }
        heap
    }

    async fn secrets(&self) -> Heap {
        let mut heap = Heap::default();
        let api: Api<Secret> = Api::all(self.vault.client.clone());
        let listed = match api.list(&ListParams::default()).await {
            Ok(listed) => listed,
            Err(error) => {
                heap.failed = Some(error.to_string());
                return heap;
            }
        };
        for secret in listed {
            let namespace = secret.namespace().unwrap_or_default();
            if self.tenant.namespaces.contains(&namespace) {
                continue;
            }
            heap.read += 1;
            let place = place_of("Secret", &secret);
            for (key, bytes) in secret.data.iter().flatten() {
                self.bytes(&mut heap, &format!("{place}.data.{key}"), &bytes.0);
            }
            self.json(&mut heap, &place, &secret.metadata);
        }
        heap
    }

    /// What the controllers said, and the pod of the harness that says its own.
    async fn logs(&self, planted: &str) -> Heap {
        let mut heap = Heap::default();
        for namespace in [FLUX, OPEN_NAMESPACE] {
            let api: Api<Pod> = Api::namespaced(self.vault.client.clone(), namespace);
            let pods = match api.list(&ListParams::default()).await {
                Ok(pods) => pods,
                Err(error) => {
                    heap.failed = Some(error.to_string());
                    continue;
                }
            };
            for pod in pods {
                let name = pod.name_any();
                if namespace == FLUX || name == planted {
                    self.log(&mut heap, &api, namespace, &pod).await;
                }
            }
        }
        heap
    }

    async fn log(&self, heap: &mut Heap, api: &Api<Pod>, namespace: &str, pod: &Pod) {
        let name = pod.name_any();
        for container in pod.spec.iter().flat_map(|spec| &spec.containers) {
            let params = LogParams {
                container: Some(container.name.clone()),
                limit_bytes: Some(LOG_BYTES),
                ..LogParams::default()
            };
            match api.logs(&name, &params).await {
                Ok(text) => {
                    heap.read += usize::from(namespace == FLUX);
                    let place = format!("log of {namespace}/{name} ({})", container.name);
                    self.bytes(heap, &place, text.as_bytes());
                }
                Err(error) => heap.failed = Some(format!("log of {namespace}/{name}: {error}")),
            }
        }
    }

    /// A diagnostics bundle as somebody would send it around, and what the session keeps.
    async fn files(&self, value: &str) -> Heap {
        let mut heap = Heap::default();
        let failed = |error: &dyn std::fmt::Display| Some(error.to_string());
        let scratch = match tempfile::tempdir() {
            Ok(scratch) => scratch,
            Err(error) => return Heap { failed: failed(&error), ..heap },
        };
        if let Err(error) = crate::diagnose::diagnose(self.vault.session, scratch.path()).await {
            return Heap { failed: failed(&error), ..heap };
        }
        let note = format!("a log line with {value} in it\n");
        if let Err(error) = std::fs::write(scratch.path().join("planted.log"), note) {
            return Heap { failed: failed(&error), ..heap };
        }
        self.folder(&mut heap, "bundle", scratch.path());
        self.folder(&mut heap, "session", self.vault.session.directory());
        heap
    }

    fn folder(&self, heap: &mut Heap, word: &str, root: &Path) {
        let mut folders: Vec<PathBuf> = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else {
                heap.failed = Some(format!("a folder of the {word} cannot be read"));
                continue;
            };
            for entry in entries.flatten() {
                let path = entry.path();
                let kind = entry.file_type();
                if kind.as_ref().is_ok_and(std::fs::FileType::is_dir) {
                    folders.push(path);
                    continue;
                }
                let is_text = entry.metadata().is_ok_and(|data| data.len() <= FILE_BYTES);
                if !kind.is_ok_and(|kind| kind.is_file()) || !is_text {
                    continue;
                }
                // A file that is gone by now holds nothing.
                let Ok(bytes) = std::fs::read(&path) else { continue };
                heap.read += 1;
                let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
                self.bytes(heap, &format!("{word} {name}"), &bytes);
            }
        }
    }
}

fn told(place: &str, heap: Heap) -> SearchedPlace {
    let unseen = (!heap.planted).then(|| "what the harness planted was not found".to_string());
    let Heap { read, mut found, failed, .. } = heap;
    found.sort();
    found.dedup();
    SearchedPlace { place: place.to_string(), read, blind: failed.or(unseen), found }
}

fn place_of(kind: &str, object: &impl ResourceExt) -> String {
    format!("{kind} {}/{}", object.namespace().unwrap_or_default(), object.name_any())
}
