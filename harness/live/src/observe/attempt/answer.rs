//! What the API server says to a hostile object.

use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use partywall_core::attempt::ATTEMPT_LABEL;
use partywall_core::observation::{AttemptAnswer, Layer};
use serde_json::{Value, json};

use crate::apply::{FIELD_MANAGER, api_of};
use crate::observe::harness_pods::object;

/// Where the labels that a Namespace had are kept while an attempt changes them.
pub(super) const LABELS_BEFORE: &str = "dev.partywall.harness/labels-before";

/// Make an object, or change it where it is a Namespace.
pub(super) async fn make(
    client: &Client,
    value: &Value,
    dry_run: bool,
) -> Result<DynamicObject, AttemptAnswer> {
    let wanted = object(value.clone());
    let api = api_of(client, &wanted).map_err(|error| unknown(error.to_string()))?;
    if value["kind"] == "Namespace" {
        let params = PatchParams { dry_run, ..PatchParams::default() };
        let patch = Patch::Merge(json!({"metadata": value["metadata"]}));
        return api.patch(&wanted.name_any(), &params, &patch).await.map_err(|error| told(&error));
    }
    let field_manager = Some(FIELD_MANAGER.to_string());
    let params = PostParams { dry_run, field_manager };
    api.create(&params, &wanted).await.map_err(|error| told(&error))
}

/// Take an object away again.
pub(super) async fn remove(client: &Client, value: &Value) -> Result<(), String> {
    let wanted = object(value.clone());
    let api = api_of(client, &wanted).map_err(|error| error.to_string())?;
    match api.delete(&wanted.name_any(), &DeleteParams::background()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether an object is there no more, nor a pod of it.
pub(super) async fn is_gone(client: &Client, value: &Value) -> Result<bool, String> {
    let wanted = object(value.clone());
    let api = api_of(client, &wanted).map_err(|error| error.to_string())?;
    let found = api.get_opt(&wanted.name_any()).await.map_err(|error| error.to_string())?;
    if found.is_some() || value["kind"] != "Deployment" {
        return Ok(found.is_none());
    }
    let namespace = wanted.namespace().unwrap_or_default();
    let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(client.clone(), &namespace);
    let params = ListParams::default().labels(&format!("{ATTEMPT_LABEL}={}", wanted.name_any()));
    let pods = pods.list(&params).await.map_err(|error| error.to_string())?;
    Ok(pods.items.is_empty())
}

fn unknown(detail: String) -> AttemptAnswer {
    AttemptAnswer::Unknown { detail }
}

/// Which layer an error comes from.
fn told(error: &kube::Error) -> AttemptAnswer {
    let kube::Error::Api(status) = error else { return unknown(error.to_string()) };
    match layer(status.code, &status.message) {
        Some(layer) => AttemptAnswer::Refused { layer, message: status.message.clone() },
        None => unknown(status.message.clone()),
    }
}

/// The layer of a message; `None` where the object was not judged at all.
pub(super) fn layer(code: u16, message: &str) -> Option<Layer> {
    let says = |part: &str| message.contains(part);
    let of_admission = says("PodSecurity")
        || says("ValidatingAdmissionPolicy")
        || says("admission webhook")
        || says("exceeded quota");
    let of_rights = says("User \"") || says("attempting to grant");
    match code {
        400 | 403 | 422 if of_admission => Some(Layer::Admission),
        403 if of_rights => Some(Layer::Rights),
        403 => Some(Layer::Admission),
        400 | 422 => Some(Layer::Validation),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        403,
        "pods is forbidden: User \"system:serviceaccount:a:b\" cannot create resource \"pods\" in API group \"\" in the namespace \"c\"",
        Some(Layer::Rights)
    )]
    #[case(
        403,
        "roles.rbac.authorization.k8s.io \"x\" is forbidden: user \"u\" (groups=[]) is attempting to grant RBAC permissions not currently held",
        Some(Layer::Rights)
    )]
    #[case(
        403,
        "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": host namespaces (hostNetwork=true)",
        Some(Layer::Admission)
    )]
    #[case(
        422,
        "services \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: no",
        Some(Layer::Admission)
    )]
    #[case(
        422,
        "EndpointSlice \"x\" is invalid: endpoints[0].addresses[0]: Invalid value: \"127.0.0.1\"",
        Some(Layer::Validation)
    )]
    #[case(400, "admission webhook \"x\" denied the request", Some(Layer::Admission))]
    #[case(404, "the server could not find the requested resource", None)]
    #[case(409, "already exists", None)]
    #[case(500, "etcdserver: request timed out", None)]
    fn tells_the_layer(#[case] code: u16, #[case] message: &str, #[case] expected: Option<Layer>) {
        assert_eq!(layer(code, message), expected);
    }
}
