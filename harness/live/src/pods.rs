//! Containers that cannot start, and why.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};

/// Reasons that no waiting mends.
const REASONS: [&str; 7] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
];

/// A container that cannot start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stuck {
    pub(crate) namespace: String,
    pub(crate) pod: String,
    pub(crate) image: String,
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Stuck {
    /// Whether its image is not there.
    pub(crate) fn lacks_image(&self) -> bool {
        self.reason.contains("Image")
    }
}

/// Every container of the cluster that cannot start.
pub(crate) async fn stuck(client: &Client) -> Result<Vec<Stuck>, kube::Error> {
    let pods = Api::<Pod>::all(client.clone()).list(&ListParams::default()).await?;
    Ok(pods.iter().flat_map(of_pod).collect())
}

fn of_pod(pod: &Pod) -> Vec<Stuck> {
    let Some(status) = &pod.status else {
        return Vec::new();
    };
    let containers = status.container_statuses.iter().chain(&status.init_container_statuses);
    let waiting = containers.flatten().filter_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.clone()?;
        REASONS.contains(&reason.as_str()).then(|| Stuck {
            namespace: pod.namespace().unwrap_or_default(),
            pod: pod.name_any(),
            image: container.image.clone(),
            reason,
            message: waiting.message.clone().unwrap_or_default(),
        })
    });
    waiting.collect()
}
