//! Where a tenant's secret values are looked for: everywhere but in the Secrets of its own
//! namespaces.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;

use age::secrecy::ExposeSecret;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod, Secret};
use kube::api::{Api, ListParams, LogParams};
use kube::{Resource, ResourceExt};
use partywall_core::contract::Tenant;
use partywall_core::inventory::OPEN_NAMESPACE;
use partywall_core::observation::{SearchedPlace, SecretObservation};
use partywall_offline::sops::{Identities, open};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use super::secret::Vault;
use super::secret_canary::{Canary, SHORTEST, search, search_json};
use super::secret_plant::plant;
use crate::push::sha256;
use crate::random::nonce;
use crate::reconcile::Flux;

/// Where Flux's controllers run.
const FLUX: &str = "flux-system";
/// A larger log is read from its end.
const LOG_BYTES: i64 = 16 * 1024 * 1024;
/// The name under which the harness's own canary is found.
pub(super) const PLANTED: &str = "planted by the harness";
/// Searches that copy and unpack much: one tenant's at a time.
pub(super) static HEAVY: Semaphore = Semaphore::const_new(1);
/// Letters that pages write in another way: a search that does not know it misses the plant too.
const ESCAPED: &str = "&'<";

/// A fresh value of the harness's own.
pub(super) fn planted_value() -> Result<String, String> {
    Ok(format!("planted-{}{ESCAPED}", nonce().map_err(|error| error.to_string())?))
}

impl Vault<'_> {
    /// Look for the tenant's values everywhere.
    pub(super) async fn search(&self, tenant: &Tenant) -> Result<SecretObservation, String> {
        let own = self.canaries(tenant)?;
        let value = planted_value()?;
        let name = format!("partywall-{}", &value[..20]);
        let planted = plant(self.client, &self.session.bundle.agent, &name, &value).await?;
        let canaries = own.len();
        let hunt = Arc::new(Hunt { own, planted: Canary::new(PLANTED, &value) });
        let searcher = Searcher { vault: self, tenant, hunt };
        let places = searcher.places(&value, &planted.pod).await;
        planted.remove(self.client).await;
        Ok(SecretObservation::Searched { canaries, places })
    }

    /// The values of the tenant's pushed files that no other tenant has.
    pub(super) fn canaries(&self, tenant: &Tenant) -> Result<Vec<Canary>, String> {
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

/// Looks for the values of one tenant, and for the harness's own beside them.
pub(super) struct Searcher<'a> {
    pub(super) vault: &'a Vault<'a>,
    pub(super) tenant: &'a Tenant,
    pub(super) hunt: Arc<Hunt>,
}

/// What is looked for.
pub(super) struct Hunt {
    /// The tenant's own values.
    pub(super) own: Vec<Canary>,
    /// The one that the harness planted.
    pub(super) planted: Canary,
}

/// What was read of one place.
#[derive(Debug, Default)]
pub(super) struct Heap {
    pub(super) read: usize,
    pub(super) found: Vec<String>,
    /// Whether what the harness had planted in this place was found.
    pub(super) planted: bool,
    pub(super) failed: Option<String>,
}

impl Heap {
    /// Of a place that could not be read.
    pub(super) fn failed(error: impl Display) -> Self {
        Self { failed: Some(error.to_string()), ..Self::default() }
    }

    /// Takes what was read beside it.
    pub(super) fn join(&mut self, other: Self) {
        self.read += other.read;
        self.found.extend(other.found);
        self.planted |= other.planted;
        self.failed = self.failed.take().or(other.failed);
    }
}

impl Hunt {
    pub(super) fn bytes(&self, heap: &mut Heap, place: &str, bytes: &[u8]) {
        let planted = std::slice::from_ref(&self.planted);
        heap.found.extend(search(&self.own, place, bytes));
        heap.planted |= !search(planted, place, bytes).is_empty();
    }

    pub(super) fn json(&self, heap: &mut Heap, place: &str, object: &impl Serialize) {
        heap.read += 1;
        let planted = std::slice::from_ref(&self.planted);
        let value = serde_json::to_value(object).unwrap_or_default();
        heap.found.extend(search_json(&self.own, place, &value));
        heap.planted |= !search_json(planted, place, &value).is_empty();
    }
}

impl Searcher<'_> {
    async fn places(&self, value: &str, pod: &str) -> Vec<SearchedPlace> {
        let (flux, events, config_maps, secrets, pods, logs, files, git) = futures::join!(
            self.flux(),
            self.objects::<Event>(),
            self.objects::<ConfigMap>(),
            self.secrets(),
            self.objects::<Pod>(),
            self.logs(pod),
            self.files(value),
            self.git(value),
        );
        let mut places = vec![
            told("objects of Flux", flux),
            told("events", events),
            told("ConfigMaps", config_maps),
            told("Secrets and Helm releases of other namespaces", secrets),
            told("pods", pods),
            told("logs of Flux's controllers", logs),
        ];
        places.extend(files);
        places.extend(git);
        places
    }

    async fn flux(&self) -> Heap {
        let mut heap = Heap::default();
        for kind in Flux::ALL {
            match kind.list(self.vault.client).await {
                Ok(objects) => {
                    for object in objects {
                        let place = place_of(&kind.resource().kind, &object);
                        self.hunt.json(&mut heap, &place, &object);
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
                    self.hunt.json(&mut heap, &place_of(&K::kind(&()), &object), &object);
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
                self.hunt.bytes(&mut heap, &format!("{place}.data.{key}"), &bytes.0);
            }
            self.hunt.json(&mut heap, &place, &secret.metadata);
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
                    self.hunt.bytes(heap, &place, text.as_bytes());
                }
                Err(error) => heap.failed = Some(format!("log of {namespace}/{name}: {error}")),
            }
        }
    }
}

pub(super) fn told(place: &str, heap: Heap) -> SearchedPlace {
    let unseen = (!heap.planted).then(|| "what the harness planted was not found".to_string());
    let Heap { read, mut found, failed, .. } = heap;
    found.sort();
    found.dedup();
    SearchedPlace { place: place.to_string(), read, blind: failed.or(unseen), found }
}

fn place_of(kind: &str, object: &impl ResourceExt) -> String {
    format!("{kind} {}/{}", object.namespace().unwrap_or_default(), object.name_any())
}
