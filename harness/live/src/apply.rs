//! Server-side apply of objects of any kind.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt};

use crate::wait::{Poll, Wait, WaitError, until};

/// Who owns the fields that the harness applies.
pub(crate) const FIELD_MANAGER: &str = "partywall";
/// Few enough for a two-core API server, enough to hide the round trips.
const AT_ONCE: usize = 8;

/// An object that was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The object does not say what it is.
    #[error("an object named `{name}` has no apiVersion or kind")]
    Untyped {
        /// Its name.
        name: String,
    },
    /// The API server refused it, or did not answer.
    #[error("failed to apply {object}: {source}")]
    Refused {
        /// Kind, namespace and name.
        object: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// A kind is not served, although its definition was applied.
    #[error(transparent)]
    NotServed(#[from] WaitError<std::convert::Infallible>),
}

/// `Kind namespace/name`.
pub(crate) fn describe(object: &DynamicObject) -> String {
    let kind = object.types.as_ref().map_or("object", |types| types.kind.as_str());
    match &object.metadata.namespace {
        Some(namespace) => format!("{kind} {namespace}/{}", object.name_any()),
        None => format!("{kind} {}", object.name_any()),
    }
}

/// The endpoint of an object's kind, in its namespace if it has one.
pub(crate) fn api_of(
    client: &Client,
    object: &DynamicObject,
) -> Result<Api<DynamicObject>, ApplyError> {
    let types = object.types.as_ref();
    let types = types.ok_or_else(|| ApplyError::Untyped { name: object.name_any() })?;
    let kind = GroupVersionKind::try_from(types)
        .map_err(|_| ApplyError::Untyped { name: object.name_any() })?;
    let resource = ApiResource::from_gvk(&kind);
    Ok(match &object.metadata.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    })
}

/// Apply one object.
pub(crate) async fn apply(
    client: &Client,
    object: &DynamicObject,
) -> Result<DynamicObject, ApplyError> {
    let api = api_of(client, object)?;
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(&object.name_any(), &params, &Patch::Apply(object)).await.map_err(|source| {
        ApplyError::Refused { object: describe(object), source: Box::new(source) }
    })
}

/// Apply objects that do not depend on each other.
pub(crate) async fn apply_all(
    client: &Client,
    objects: &[DynamicObject],
) -> Result<(), ApplyError> {
    futures::stream::iter(objects.iter().map(Ok))
        .try_for_each_concurrent(AT_ONCE, |object| async move {
            apply(client, object).await.map(|_applied| ())
        })
        .await
}

/// Wait until the API server serves the kinds that these definitions define.
pub(crate) async fn established(
    client: &Client,
    definitions: &[DynamicObject],
    limit: Duration,
) -> Result<(), ApplyError> {
    let waits = definitions.iter().map(|definition| async move {
        let api = api_of(client, definition)?;
        let name = definition.name_any();
        let wait = Wait::at_most(limit);
        let look = || async {
            match api.get(&name).await {
                Ok(found) if condition(&found, "Established") => Poll::Ready(()),
                Ok(_) => Poll::not_yet("the definition is not established"),
                Err(error) => Poll::not_yet(error.to_string()),
            }
        };
        until(format!("kind {name} being served"), wait, look).await?;
        Ok::<(), ApplyError>(())
    });
    futures::stream::iter(waits).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(())
}

/// Whether a condition of the object's status is `True`.
pub(crate) fn condition(object: &DynamicObject, name: &str) -> bool {
    let conditions = object.data["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| {
        condition["type"].as_str() == Some(name) && condition["status"].as_str() == Some("True")
    })
}
