//! A plain command in a pod, through the API server.

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, AttachParams};
use tokio::io::AsyncReadExt;

/// Run a command in a pod's default container and give back what it wrote. A command that ends
/// with anything but 0 is an error that carries its message.
pub(crate) async fn exec(
    client: &Client,
    namespace: &str,
    pod: &str,
    command: &[&str],
) -> Result<String, kube::Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params = AttachParams::default().stdout(true).stderr(true);
    let mut process = pods.exec(pod, command.iter().copied(), &params).await?;
    let mut said = Vec::new();
    if let Some(mut stdout) = process.stdout() {
        // What was read before a broken stream is still shown; the status below decides.
        let _end = stdout.read_to_end(&mut said).await;
    }
    let mut complaint = Vec::new();
    if let Some(mut stderr) = process.stderr() {
        let _end = stderr.read_to_end(&mut complaint).await;
    }
    let status = match process.take_status() {
        Some(status) => status.await,
        None => None,
    };
    match status {
        Some(status) if status.status.as_deref() == Some("Success") => {
            Ok(String::from_utf8_lossy(&said).into_owned())
        }
        Some(status) => {
            let complaint = String::from_utf8_lossy(&complaint).trim().to_string();
            let message = format!("{} ({complaint})", status.message.unwrap_or_default());
            Err(kube::Error::Service(format!("`{}`: {message}", command.join(" ")).into()))
        }
        None => Err(kube::Error::Service("the exec stream ended without a status".into())),
    }
}
