//! Pod Security: what the label of a namespace lets its pods be.

use partywall_core::source::SourceLocation;
use serde_json::Value;

use crate::render::Rendered;

/// The label that is enforced.
pub(crate) const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// What a namespace says of a pod.
pub(crate) enum Admitted {
    Yes,
    /// Refused, by this line, for these reasons.
    No {
        level: String,
        place: SourceLocation,
        violations: Vec<String>,
    },
    Unknown(String),
}

/// Whether a namespace admits a pod.
pub(crate) fn admits(rendered: &Rendered, namespace: &str, pod: &Value) -> Admitted {
    let Some(object) = rendered.find("Namespace", "", namespace) else {
        return Admitted::Unknown(format!(
            "no file of the layout makes the namespace {namespace}, so that its labels are not known"
        ));
    };
    let labels = object.labels();
    let level = labels.get(ENFORCE).map_or("privileged", String::as_str);
    let violations = match level {
        "privileged" => Vec::new(),
        "baseline" => baseline(pod),
        _ => [baseline(pod), restricted(pod)].concat(),
    };
    if violations.is_empty() {
        return Admitted::Yes;
    }
    let place = rendered.locate(object, &["metadata", "labels", ENFORCE]);
    Admitted::No { level: level.to_string(), place, violations }
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["containers", "initContainers", "ephemeralContainers"]
        .into_iter()
        .flat_map(|key| pod["spec"][key].as_array().into_iter().flatten())
}

/// What `baseline` forbids.
fn baseline(pod: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for key in ["hostNetwork", "hostPID", "hostIPC"] {
        if pod["spec"][key] == true {
            found.push(format!("{key}=true"));
        }
    }
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    if volumes.into_iter().any(|volume| !volume["hostPath"].is_null()) {
        found.push("hostPath volumes".to_string());
    }
    for container in containers(pod) {
        if container["securityContext"]["privileged"] == true {
            found.push("privileged=true".to_string());
        }
        let mut ports = container["ports"].as_array().into_iter().flatten();
        // A pod on its node's network has a host port for every port that it declares.
        let on_host = pod["spec"]["hostNetwork"] == true;
        let claims = |port: &Value| on_host || port["hostPort"].as_u64().is_some_and(|p| p != 0);
        if ports.any(claims) {
            found.push("hostPort".to_string());
        }
    }
    found
}

/// What `restricted` asks for beside.
fn restricted(pod: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let of_pod = &pod["spec"]["securityContext"];
    for container in containers(pod) {
        let own = &container["securityContext"];
        let either = |key: &str| if own[key].is_null() { &of_pod[key] } else { &own[key] };
        if own["allowPrivilegeEscalation"] != false {
            found.push("allowPrivilegeEscalation != false".to_string());
        }
        let drops = own["capabilities"]["drop"].as_array().into_iter().flatten();
        if !drops.into_iter().any(|one| one == "ALL") {
            found.push("unrestricted capabilities".to_string());
        }
        if *either("runAsNonRoot") != true {
            found.push("runAsNonRoot != true".to_string());
        }
        let seccomp = either("seccompProfile")["type"].as_str().unwrap_or_default();
        if !["RuntimeDefault", "Localhost"].contains(&seccomp) {
            found.push("seccompProfile".to_string());
        }
    }
    found
}
