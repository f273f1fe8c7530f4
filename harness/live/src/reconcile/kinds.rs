//! Flux's kinds and how each says that it has caught up.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::{Client, ResourceExt};
use serde_json::Value;

use super::report::{ObjectStatus, Readiness, Ready, ready_condition};
use crate::push::Pushed;

/// Flux's kinds, sources first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Flux {
    GitRepository,
    HelmRepository,
    OciRepository,
    HelmChart,
    Kustomization,
    HelmRelease,
}

/// Reasons that say "not my fault".
const WAITING: [&str; 4] =
    ["DependencyNotReady", "SourceNotReady", "ArtifactFailed", "NoSourceArtifact"];

impl Flux {
    pub(crate) const ALL: [Self; 6] = [
        Self::GitRepository,
        Self::HelmRepository,
        Self::OciRepository,
        Self::HelmChart,
        Self::Kustomization,
        Self::HelmRelease,
    ];

    pub(crate) fn resource(self) -> ApiResource {
        let (group, version, kind, plural) = match self {
            Self::GitRepository => ("source", "v1", "GitRepository", "gitrepositories"),
            Self::HelmRepository => ("source", "v1", "HelmRepository", "helmrepositories"),
            Self::OciRepository => ("source", "v1", "OCIRepository", "ocirepositories"),
            Self::HelmChart => ("source", "v1", "HelmChart", "helmcharts"),
            Self::Kustomization => ("kustomize", "v1", "Kustomization", "kustomizations"),
            Self::HelmRelease => ("helm", "v2", "HelmRelease", "helmreleases"),
        };
        let group = format!("{group}.toolkit.fluxcd.io");
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(&group, version, kind), plural)
    }

    pub(crate) async fn list(self, client: &Client) -> Result<Vec<DynamicObject>, kube::Error> {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &self.resource());
        Ok(api.list(&ListParams::default()).await?.items)
    }
}

/// All Flux objects of the cluster.
pub(crate) struct World {
    pub(crate) objects: Vec<(Flux, DynamicObject)>,
}

impl World {
    pub(crate) async fn look(client: &Client) -> Result<Self, kube::Error> {
        let lists = Flux::ALL.map(|kind| async move {
            let items = kind.list(client).await?;
            Ok::<_, kube::Error>(items.into_iter().map(|item| (kind, item)).collect::<Vec<_>>())
        });
        let lists = futures::future::try_join_all(lists).await?;
        Ok(Self { objects: lists.into_iter().flatten().collect() })
    }

    /// How every object stands to the pushed commits.
    pub(crate) fn statuses(&self, pushed: &Pushed, token: &str) -> Vec<ObjectStatus> {
        let commits = self.commits(pushed);
        let judge = |(kind, object): &(Flux, DynamicObject)| judge(*kind, object, &commits, token);
        self.objects.iter().map(judge).collect()
    }

    /// Releases that were looked at on our request and whose status says nothing of their present
    /// generation: the controller failed before it came to write one.
    pub(crate) fn unreported(&self, token: &str) -> BTreeSet<(String, String)> {
        let silent = |(kind, object): &&(Flux, DynamicObject)| {
            let status = &object.data["status"];
            let generation = object.metadata.generation.unwrap_or_default();
            let conditions = status["conditions"].as_array();
            let reported = conditions.into_iter().flatten().any(|condition| {
                condition["type"] == "Ready"
                    && condition["observedGeneration"].as_i64() == Some(generation)
            });
            *kind == Flux::HelmRelease && status["lastHandledReconcileAt"] == token && !reported
        };
        let name = |(_, object): &(Flux, DynamicObject)| {
            (object.namespace().unwrap_or_default(), object.name_any())
        };
        self.objects.iter().filter(silent).map(name).collect()
    }

    /// The pushed commit that each source must show, by `Kind/namespace/name`.
    fn commits(&self, pushed: &Pushed) -> BTreeMap<String, String> {
        let mut commits = BTreeMap::new();
        for (kind, object) in &self.objects {
            let url = object.data["spec"]["url"].as_str();
            let known = pushed.repositories.iter().find(|known| Some(known.url.as_str()) == url);
            if let (Flux::GitRepository, Some(known)) = (kind, known) {
                commits.insert(source_key("GitRepository", object), known.commit.clone());
            }
        }
        commits
    }
}

fn source_key(kind: &str, object: &DynamicObject) -> String {
    format!("{kind}/{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}

fn judge(
    kind: Flux,
    object: &DynamicObject,
    commits: &BTreeMap<String, String>,
    token: &str,
) -> ObjectStatus {
    let revisions = Revisions::of(kind, object, commits);
    let ready = ready_condition(&object.data["status"]);
    let suspended = object.data["spec"]["suspend"].as_bool() == Some(true);
    let readiness = match &ready {
        _ if object.metadata.deletion_timestamp.is_some() => Readiness::Pending,
        _ if suspended => Readiness::Failed,
        None => Readiness::Pending,
        Some(found) => readiness(kind, object, found, &revisions, token),
    };
    let (reason, message) = match ready {
        _ if suspended => ("Suspended".to_string(), "it is suspended".to_string()),
        Some(found) => (found.reason.to_string(), found.message.to_string()),
        None => ("Unknown".to_string(), "it has no Ready condition yet".to_string()),
    };
    let name = object.name_any();
    let namespace = object.namespace().unwrap_or_default();
    let kind = kind.resource().kind;
    ObjectStatus { kind, namespace, name, readiness, reason, message, revision: revisions.applied }
}

/// Which revisions an object has applied and tried, and the commit it must come to.
struct Revisions<'a> {
    applied: Option<String>,
    attempted: Option<String>,
    commit: Option<&'a String>,
}

impl<'a> Revisions<'a> {
    fn of(kind: Flux, object: &DynamicObject, commits: &'a BTreeMap<String, String>) -> Self {
        let status = &object.data["status"];
        let text = |value: &Value| value.as_str().map(str::to_string);
        let (applied, attempted, commit) = match kind {
            Flux::GitRepository => {
                let revision = text(&status["artifact"]["revision"]);
                (revision.clone(), revision, commits.get(&source_key("GitRepository", object)))
            }
            Flux::Kustomization => {
                let source = source_of(&object.data["spec"], object);
                let attempted = text(&status["lastAttemptedRevision"]);
                (text(&status["lastAppliedRevision"]), attempted, commits.get(&source))
            }
            Flux::HelmRelease => (text(&status["lastAttemptedRevision"]), None, None),
            _ => (text(&status["artifact"]["revision"]), None, None),
        };
        Self { applied, attempted, commit }
    }

    fn at_commit(&self, revision: Option<&String>) -> bool {
        match (self.commit, revision) {
            (Some(commit), Some(revision)) => revision.contains(commit.as_str()),
            (Some(_), None) => false,
            (None, _) => true,
        }
    }
}

fn readiness(
    kind: Flux,
    object: &DynamicObject,
    ready: &Ready<'_>,
    revisions: &Revisions<'_>,
    token: &str,
) -> Readiness {
    let status = &object.data["status"];
    let generation = object.metadata.generation.unwrap_or_default();
    let observed = status["observedGeneration"].as_i64() == Some(generation);
    // A release may have been judged before its values changed: it must have seen our request.
    let asked = kind != Flux::HelmRelease || status["lastHandledReconcileAt"] == token;
    let applied = revisions.at_commit(revisions.applied.as_ref());
    let attempted = revisions.at_commit(revisions.attempted.as_ref());
    let tried = kind == Flux::GitRepository || attempted || stalled(status);
    match ready.status {
        _ if !observed && !reports_failure(ready, generation) => {
            not_observed(kind, ready.status, ready.reason)
        }
        "True" if applied && asked => Readiness::Ready,
        "False" if WAITING.contains(&ready.reason) => Readiness::Blocked,
        "False" if asked && tried => Readiness::Failed,
        _ => Readiness::Pending,
    }
}

/// While it keeps trying, a controller leaves the object's own `observedGeneration` behind.
fn reports_failure(ready: &Ready<'_>, generation: i64) -> bool {
    ready.status == "False" && ready.generation == Some(generation)
}

/// Flux leaves `observedGeneration` behind on some failures; a refusal is final all the same.
fn not_observed(kind: Flux, status: &str, reason: &str) -> Readiness {
    match (status, reason) {
        ("False", reason) if WAITING.contains(&reason) => Readiness::Blocked,
        ("False", "Progressing" | "ProgressingWithRetry") => Readiness::Pending,
        ("False", _) if kind == Flux::Kustomization => Readiness::Failed,
        _ => Readiness::Pending,
    }
}

fn stalled(status: &Value) -> bool {
    let conditions = status["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Stalled" && condition["status"] == "True")
}

fn source_of(spec: &Value, object: &DynamicObject) -> String {
    let reference = &spec["sourceRef"];
    let own = object.namespace().unwrap_or_default();
    let text = |key: &str| reference[key].as_str();
    format!(
        "{}/{}/{}",
        text("kind").unwrap_or_default(),
        text("namespace").unwrap_or(&own),
        text("name").unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn object(kind: Flux, spec: Value, status: Value) -> (Flux, DynamicObject) {
        let object = json!({
            "apiVersion": kind.resource().api_version,
            "kind": kind.resource().kind,
            "metadata": {"name": "app", "namespace": "flux-system", "generation": 2},
            "spec": spec,
            "status": status,
        });
        (kind, serde_json::from_value(object).unwrap())
    }

    fn readiness(kind: Flux, status: Value) -> Readiness {
        let revision = format!("main@sha1:{COMMIT}");
        let url = "http://git/deployments.git";
        let source = object(
            Flux::GitRepository,
            json!({"url": url}),
            json!({"artifact": {"revision": revision}}),
        );
        let spec = json!({"sourceRef": {"kind": "GitRepository", "name": "app"}});
        let world = World { objects: vec![source, object(kind, spec, status)] };
        let repository = crate::push::PushedRepository {
            name: "deployments".into(),
            url: url.into(),
            commit: COMMIT.into(),
        };
        let pushed = Pushed { commit: COMMIT.into(), repositories: vec![repository] };
        world.statuses(&pushed, "token")[1].readiness
    }

    fn ready(status: &str, reason: &str, generation: i64) -> Value {
        json!([{"type": "Ready", "status": status, "reason": reason,
                "message": "", "observedGeneration": generation}])
    }

    #[rstest]
    #[case("True", "ReconciliationSucceeded", 2, COMMIT, Readiness::Ready)]
    #[case("True", "ReconciliationSucceeded", 1, COMMIT, Readiness::Pending)]
    #[case("True", "ReconciliationSucceeded", 2, "an older commit", Readiness::Pending)]
    #[case("False", "BuildFailed", 2, COMMIT, Readiness::Failed)]
    #[case("False", "BuildFailed", 2, "an older commit", Readiness::Pending)]
    #[case("False", "DependencyNotReady", 2, COMMIT, Readiness::Blocked)]
    #[case("Unknown", "Progressing", 2, COMMIT, Readiness::Pending)]
    fn a_kustomization_is_judged_at_the_pushed_commit(
        #[case] status: &str,
        #[case] reason: &str,
        #[case] generation: i64,
        #[case] revision: &str,
        #[case] expected: Readiness,
    ) {
        let revision = format!("main@sha1:{revision}");
        let seen = readiness(
            Flux::Kustomization,
            json!({"observedGeneration": generation, "lastAppliedRevision": revision,
                   "lastAttemptedRevision": revision, "conditions": ready(status, reason, 2)}),
        );
        assert_eq!(seen, expected);
    }

    #[rstest]
    #[case("True", "InstallSucceeded", 2, "token", Readiness::Ready)]
    #[case("True", "InstallSucceeded", 2, "earlier", Readiness::Pending)]
    #[case("True", "InstallSucceeded", 1, "token", Readiness::Pending)]
    #[case("False", "StateError", 1, "token", Readiness::Failed)]
    #[case("False", "SourceNotReady", 1, "token", Readiness::Blocked)]
    fn a_release_is_judged_only_after_it_saw_our_request(
        #[case] status: &str,
        #[case] reason: &str,
        #[case] generation: i64,
        #[case] handled: &str,
        #[case] expected: Readiness,
    ) {
        let seen = readiness(
            Flux::HelmRelease,
            json!({"observedGeneration": generation, "lastHandledReconcileAt": handled,
                   "conditions": ready(status, reason, 2)}),
        );
        assert_eq!(seen, expected);
    }
}
