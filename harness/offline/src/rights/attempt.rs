//! Attempts, answered from the files: refused by which line, or applied, and what that opens.

use partywall_core::attempt::{
    AttemptProbe, AttemptReach, Effect, Hostile, Identity, NO_CHART, Objects, Want, objects,
};
use partywall_core::event::Blame;
use partywall_core::observation::{
    AttemptAnswer, AttemptControl, AttemptEffect, AttemptObservation, AttemptReachSeen, Layer,
    Observation, ReceiptState, Trying,
};
use partywall_core::probe::ReachProbe;
use partywall_core::source::SourceLocation;
use serde_json::Value;

use super::account::Rights;
use super::admission::{Admission, admission};
use super::escalation;
use super::identities::identities;
use super::pod_security::{Admitted, ENFORCE, admits};
use super::request::{Permission, Request};
use crate::cluster::{Ground, Standing, Surroundings, Walls};
use crate::render::{Object, Rendered};

/// An image by which the hostile pods are known as our agents.
const AGENT: &str = "partywall.local/agent:attempt";

/// What attempts are answered from.
pub(crate) struct Attempts<'a> {
    pub(crate) rendered: &'a Rendered,
    pub(crate) around: &'a Surroundings,
    pub(crate) standing: &'a Standing,
    pub(crate) walls: &'a Walls,
}

/// One identity's answer, with the line that decides it.
struct Told {
    answer: AttemptAnswer,
    place: Option<(SourceLocation, String)>,
}

impl Told {
    fn refused(layer: Layer, message: String) -> Self {
        Self { answer: AttemptAnswer::Refused { layer, message }, place: None }
    }

    fn unknown(detail: String) -> Self {
        Self { answer: AttemptAnswer::Unknown { detail }, place: None }
    }
}

impl Attempts<'_> {
    /// The answer to one probe.
    pub(crate) fn answer(&self, probe: &AttemptProbe) -> Observation {
        let objects = match self.objects(probe) {
            Ok(objects) => objects,
            Err(detail) => return Observation::Failed { detail },
        };
        let identities = match identities(self.rendered, &probe.tenant) {
            Ok(identities) => identities,
            Err(detail) => return Observation::Failed { detail },
        };
        let tried: Vec<Trying> = identities
            .into_iter()
            .map(|identity| {
                let answer = self.told(probe, &objects, &identity).answer;
                Trying { identity, answer }
            })
            .collect();
        let is_applied = tried.iter().any(|one| one.answer == AttemptAnswer::Applied);
        let effect = is_applied
            .then(|| AttemptEffect { unrealised: None, reaches: self.reaches(probe, &objects) });
        Observation::Attempt(Box::new(AttemptObservation {
            object: label(&objects.hostile),
            tried,
            control: AttemptControl::Computed,
            effect,
            left: None,
        }))
    }

    fn objects(&self, probe: &AttemptProbe) -> Result<Objects, String> {
        let mut setting = probe.setting.clone();
        setting.insert("image".to_string(), AGENT.to_string());
        let releases = self.rendered.of_kind("HelmRelease");
        let mut own =
            releases.filter(|one| probe.tenant.namespaces.contains(&one.namespace().to_string()));
        let own = own.next();
        let account = own.and_then(|release| release.text(&["spec", "serviceAccountName"]));
        setting.insert("release_account".to_string(), account.unwrap_or("default").to_string());
        setting.insert("release_chart".to_string(), NO_CHART.to_string());
        objects(probe.hostile, &setting).map_err(|error| error.to_string())
    }

    fn told(&self, probe: &AttemptProbe, objects: &Objects, identity: &Identity) -> Told {
        // Its companions are the administrator's: what a tenant may not make of them may stand.
        self.one(probe.hostile, &objects.hostile, identity)
    }

    /// One object, in the order in which the API server asks: rights, the object itself, admission.
    fn one(&self, hostile: Hostile, object: &Value, identity: &Identity) -> Told {
        let rights = Rights::new(self.rendered);
        let request = Request::to_apply(self.rendered, object);
        let place = match may(&rights, identity, &request) {
            Ok(place) => place,
            Err(told) => return told,
        };
        match escalation::refused(&rights, identity, object) {
            Ok(()) => {}
            Err(Permission::Unknown(why)) => return Told::unknown(why),
            Err(_) => {
                let message = format!("{} would give what {identity} has not", label(object));
                return Told::refused(Layer::Rights, message);
            }
        }
        if let Some(message) = invalid(hostile, object) {
            return Told::refused(Layer::Validation, message.to_string());
        }
        if let Some(told) = self.not_admitted(identity, &request, object) {
            return told;
        }
        if hostile.effect() == Effect::Release {
            return self.released(&rights, object, place);
        }
        let pod = pod_of(object);
        let because = match (&pod, hostile.effect()) {
            // That the account makes workloads is as it should be; that such a pod is let in is not.
            (Some(_), Effect::Breach) => self.label_place(&request.namespace),
            _ => None,
        };
        let because = because.unwrap_or_else(|| {
            (place, format!("this rule lets {identity} {}", request.describe()))
        });
        Told { answer: AttemptAnswer::Applied, place: Some(because) }
    }

    fn label_place(&self, namespace: &str) -> Option<(SourceLocation, String)> {
        let object = self.rendered.find("Namespace", "", namespace)?;
        let because =
            format!("the namespace enforces no Pod Security; label it `{ENFORCE}: restricted`");
        Some((self.rendered.locate(object, &["metadata", "labels"]), because))
    }

    /// Why the object, or the pod that it makes, is not let in.
    fn not_admitted(&self, identity: &Identity, request: &Request, object: &Value) -> Option<Told> {
        let pod = pod_of(object);
        let mut asked = vec![(identity.clone(), request.clone(), object.clone())];
        if let Some(pod) = pod.as_ref().filter(|_| object["kind"] != "Pod") {
            let maker = Identity::new("kube-system", "replicaset-controller");
            asked.push((maker, Request::to_apply(self.rendered, pod), pod.clone()));
        }
        for (identity, request, object) in &asked {
            match admission(self.rendered, identity, request, object) {
                Admission::Admitted => {}
                Admission::Refused { message, place } => {
                    return Some(Told::refused(Layer::Admission, format!("{message} ({place})")));
                }
                Admission::Unknown(why) => return Some(Told::unknown(why)),
            }
        }
        match admits(self.rendered, &request.namespace, pod.as_ref()?) {
            Admitted::Yes => None,
            Admitted::No { level, place, violations } => {
                let violations = violations.join(", ");
                let message = format!("Pod Security `{level}` ({place}) refuses: {violations}");
                Some(Told::refused(Layer::Admission, message))
            }
            Admitted::Unknown(why) => Some(Told::unknown(why)),
        }
    }

    /// What becomes of a release: Helm acts with an account of the release's own namespace.
    fn released(&self, rights: &Rights<'_>, release: &Value, place: SourceLocation) -> Told {
        let text = |path: &str| release.pointer(path).and_then(Value::as_str);
        let own = text("/metadata/namespace").unwrap_or_default();
        let account = text("/spec/serviceAccountName").unwrap_or("default");
        let identity = Identity::new(own, account);
        let target = text("/spec/storageNamespace").or_else(|| text("/spec/targetNamespace"));
        let record = serde_json::json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": target.unwrap_or(own)},
        });
        let request = Request::to_apply(self.rendered, &record);
        match may(rights, &identity, &request) {
            Ok(_) => {
                let because =
                    format!("this rule lets a HelmRelease be made that acts as {identity}");
                Told { answer: AttemptAnswer::Applied, place: Some((place, because)) }
            }
            Err(told) => told,
        }
    }

    fn reaches(&self, probe: &AttemptProbe, objects: &Objects) -> Vec<AttemptReachSeen> {
        if matches!(probe.hostile.effect(), Effect::Breach | Effect::Release | Effect::Recorded) {
            return Vec::new();
        }
        if matches!(probe.hostile.effect(), Effect::Walls | Effect::Pod) {
            let rendered = self.with(objects);
            let standing = Standing::new(&rendered, self.around);
            let walls = Walls::new(&rendered, &standing);
            let ground = Ground { standing: &standing, walls: &walls };
            return probe.reaches.iter().map(|reach| asked(&ground, reach)).collect();
        }
        let ground = Ground { standing: self.standing, walls: self.walls };
        probe.reaches.iter().map(|reach| asked(&ground, reach)).collect()
    }

    /// The layout with the hostile objects in it.
    fn with(&self, objects: &Objects) -> Rendered {
        let mut rendered = self.rendered.clone();
        let all = std::iter::once(&objects.hostile).chain(&objects.companions);
        rendered.objects.extend(all.map(|value| Object {
            value: value.clone(),
            origin: SourceLocation::new("an attempt", 1),
            applied_by: "an attempt".to_string(),
        }));
        rendered
    }
}

fn may(
    rights: &Rights<'_>,
    identity: &Identity,
    request: &Request,
) -> Result<SourceLocation, Told> {
    match rights.may(identity, request) {
        Permission::Allowed { place } => Ok(place),
        Permission::Unknown(why) => Err(Told::unknown(why)),
        Permission::Denied => {
            let message = format!("no rule lets {identity} {}", request.describe());
            Err(Told::refused(Layer::Rights, message))
        }
    }
}

/// One reach probe with its controls. An object that leads elsewhere is asked where it leads to.
fn asked(ground: &Ground<'_>, reach: &AttemptReach) -> AttemptReachSeen {
    let led = |probe: &ReachProbe| {
        let target = reach.leads_to.as_ref().unwrap_or(&probe.target).clone();
        ground.observe(&ReachProbe { from: probe.from.clone(), target })
    };
    let mut seen = led(&reach.probe);
    if reach.want == Want::Unmoved
        && let Observation::Reach(seen) = &mut seen
    {
        // It landed at somebody else, and the server that was meant has nothing.
        seen.receipt = ReceiptState::Absent;
    }
    let target = reach.target_controls.iter().map(|probe| match reach.want {
        Want::Denied => led(probe),
        Want::Unmoved => ground.observe(probe),
    });
    AttemptReachSeen {
        seen,
        client: reach.client_controls.iter().map(|probe| ground.observe(probe)).collect(),
        target: target.collect(),
    }
}

/// What the API server takes from nobody.
fn invalid(hostile: Hostile, object: &Value) -> Option<&'static str> {
    match (hostile, object["kind"].as_str().unwrap_or_default()) {
        (Hostile::SliceLoopback | Hostile::EndpointsLoopback, "EndpointSlice" | "Endpoints") => {
            Some("an endpoint may not be in the loopback range")
        }
        (Hostile::SliceMetadata | Hostile::EndpointsMetadata, "EndpointSlice" | "Endpoints") => {
            Some("an endpoint may not be in the link-local range")
        }
        (Hostile::ReleaseValuesOfNeighbour, "HelmRelease") => {
            Some("`valuesFrom` has no namespace: a release reads values of its own namespace alone")
        }
        _ => None,
    }
}

/// The pod that an object is or makes.
fn pod_of(object: &Value) -> Option<Value> {
    match object["kind"].as_str()? {
        "Pod" => Some(object.clone()),
        "Deployment" => {
            let template = &object["spec"]["template"];
            let metadata = &object["metadata"];
            Some(serde_json::json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {
                    "name": metadata["name"], "namespace": metadata["namespace"],
                    "labels": template["metadata"]["labels"],
                },
                "spec": template["spec"],
            }))
        }
        _ => None,
    }
}

fn label(object: &Value) -> String {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let name = text("/metadata/name");
    match text("/metadata/namespace") {
        "" => format!("{} {name}", text("/kind")),
        namespace => format!("{} {namespace}/{name}", text("/kind")),
    }
}

/// The line that lets a hostile object in.
pub(crate) fn blame(attempts: &Attempts<'_>, probe: &AttemptProbe) -> Option<Blame> {
    let objects = attempts.objects(probe).ok()?;
    let told = identities(attempts.rendered, &probe.tenant)
        .ok()?
        .into_iter()
        .map(|identity| attempts.told(probe, &objects, &identity))
        .find(|told| told.answer == AttemptAnswer::Applied)?;
    let (location, because) = told.place?;
    Some(Blame { location, because })
}
