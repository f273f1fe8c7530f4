//! Image operations of the local daemon.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use partywall_tool::{Output, Tool};
use serde::Deserialize;

use super::ensure::DockerError;

/// The label with the key of everything that went into an image.
pub(crate) const CONTENT_LABEL: &str = "dev.partywall.content";
/// The label of a node image that says which control-plane images it carries.
pub(crate) const KUBEADM_LABEL: &str = "dev.partywall.kubeadm";

/// How long an operation on local images may take.
const LOCAL: Duration = Duration::from_secs(300);
/// How long a transfer to or from a registry may take.
const TRANSFER: Duration = Duration::from_secs(1800);

/// What the daemon knows about an image.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Inspected {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) repo_tags: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) repo_digests: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) size: u64,
    #[serde(default)]
    pub(crate) config: Option<Config>,
}

/// The settings of an image.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(crate) entrypoint: Option<Vec<String>>,
}

impl Inspected {
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.config.as_ref()?.labels.as_ref()?.get(name).map(String::as_str)
    }

    pub(crate) fn entrypoint(&self) -> Vec<String> {
        self.config.as_ref().and_then(|config| config.entrypoint.clone()).unwrap_or_default()
    }
}

/// A docker command for local work; its output goes to the log where there is one.
fn docker<'a>(args: impl IntoIterator<Item = &'a str>, log: Option<&Path>) -> Tool {
    let tool = Tool::new("docker").args(args).timeout(LOCAL);
    match log {
        Some(log) => tool.log_to(log),
        None => tool,
    }
}

/// The images of these references that are there, by reference.
pub(crate) fn inspect(references: &[String]) -> Result<BTreeMap<String, Inspected>, DockerError> {
    if references.is_empty() {
        return Ok(BTreeMap::new());
    }
    // It ends with 1 where one is missing, and still lists the others.
    let output = docker(["image", "inspect"], None).args(references).run_unchecked()?;
    let found: Vec<Inspected> = match serde_json::from_slice(&output.stdout) {
        Ok(found) => found,
        Err(_) => return Err(no_answer(&output)),
    };
    let mut by_reference = BTreeMap::new();
    for image in found {
        let tags = image.repo_tags.iter().flatten();
        for name in tags.chain(image.repo_digests.iter().flatten()) {
            by_reference.insert(name.clone(), image.clone());
        }
    }
    Ok(by_reference)
}

fn no_answer(output: &Output) -> DockerError {
    DockerError::Absent {
        reason: partywall_tool::last_lines(&output.stderr_text(), 1),
        hint: "start the daemon, or run `partywall doctor`".to_owned(),
    }
}

/// One image, by any kind of reference.
pub(crate) fn inspect_one(reference: &str) -> Result<Option<Inspected>, DockerError> {
    let output = docker(["image", "inspect", reference], None).run_unchecked()?;
    let found: Vec<Inspected> =
        serde_json::from_slice(&output.stdout).map_err(|_| no_answer(&output))?;
    Ok(found.into_iter().next())
}

/// Builds an image from a folder with a Dockerfile.
pub(crate) fn build(
    context: &Path,
    tags: &[String],
    labels: &[(&str, &str)],
    log: &Path,
) -> Result<(), DockerError> {
    // The classic builder needs no plugin, and takes a base image from the daemon without asking
    // any registry for it first.
    let mut tool = docker(["build", "--quiet"], Some(log)).env("DOCKER_BUILDKIT", "0");
    for tag in tags {
        tool = tool.args(["--tag", tag]);
    }
    for (name, value) in labels {
        tool = tool.args(["--label".to_owned(), format!("{name}={value}")]);
    }
    tool.arg(context).run()?;
    Ok(())
}

/// Gives an image a further name.
pub(crate) fn tag(image: &str, name: &str) -> Result<(), DockerError> {
    docker(["tag", image, name], None).run()?;
    Ok(())
}

/// Pulls an image.
pub(crate) fn pull(reference: &str, log: Option<&Path>) -> Result<(), DockerError> {
    docker(["pull", "--quiet", reference], log).timeout(TRANSFER).run()?;
    Ok(())
}

/// Pushes an image.
pub(crate) fn push(reference: &str) -> Result<(), DockerError> {
    docker(["push", reference], None).timeout(TRANSFER).run()?;
    Ok(())
}

/// Writes images to one archive, in which common layers are there once.
pub(crate) fn save(references: &[String], file: &Path, log: &Path) -> Result<(), DockerError> {
    docker(["save", "--output"], Some(log)).arg(file).args(references).run()?;
    Ok(())
}

/// Removes images of ours that lost their name to a newer one. Others are left alone.
pub(crate) fn prune() -> Result<(), DockerError> {
    let ours = format!("label={CONTENT_LABEL}");
    docker(["image", "prune", "--force", "--filter", &ours], None).run()?;
    Ok(())
}

/// What a node image is made from.
pub(crate) struct Commit<'a> {
    /// The node image without images.
    pub(crate) image: &'a str,
    /// A shell script that reads the archive on its standard input.
    pub(crate) script: &'a str,
    /// The archive of images.
    pub(crate) archive: &'a Path,
    /// The entrypoint of the result; running the script hides the image's own.
    pub(crate) entrypoint: &'a [String],
    /// Labels of the result.
    pub(crate) labels: &'a [(&'a str, &'a str)],
    /// Whose container it is: a text that is the same for every build in one cache.
    pub(crate) owner: &'a str,
    /// The name of the result.
    pub(crate) result: &'a str,
    /// Where output goes.
    pub(crate) log: &'a Path,
}

/// Runs a script in a privileged container of an image and makes an image of what it leaves.
pub(crate) fn run_and_commit(commit: &Commit<'_>) -> Result<(), DockerError> {
    // Its name is its only mark: a label would go over into the image and its containers.
    // One build at a time uses a cache, so what stands there under this name is what a killed one
    // left, and would be in the way.
    let name = format!("partywall-build-{}", commit.owner);
    let remove = || docker(["rm", "--force", "--volumes", &name], Some(commit.log)).run_unchecked();
    remove()?;
    let run = ["run", "--interactive", "--privileged", "--network", "none", "--name", &name];
    let places = ["--tmpfs", "/tmp", "--tmpfs", "/run"];
    let ran = docker(run, Some(commit.log))
        .args(places)
        .args(["--entrypoint", "/bin/sh", commit.image, "-c", commit.script])
        .stdin_file(commit.archive)
        .run();
    let made = ran.and_then(|_| {
        let entrypoint = serde_json::to_string(commit.entrypoint).unwrap_or_default();
        let mut tool = docker(["commit"], Some(commit.log))
            .args(["--change".to_owned(), format!("ENTRYPOINT {entrypoint}")])
            .args(["--change", "CMD []"]);
        for (label, value) in commit.labels {
            let value = serde_json::to_string(value).unwrap_or_default();
            tool = tool.args(["--change".to_owned(), format!("LABEL {label}={value}")]);
        }
        tool.args([&name, commit.result]).run()
    });
    remove()?;
    made?;
    Ok(())
}
