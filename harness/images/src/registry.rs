//! The second way to an image: published references, pulled.

use std::time::Duration;

use partywall_tool::Tool;

use crate::bundle::Bundle;
use crate::docker::image;
use crate::error::{LockError, RegistryError};
use crate::lock::{Component, Lock, Published};
use crate::lock_edit::set_digest;
use crate::plan::Source;

/// How long a registry may take to say that it is there.
const ANSWER: Duration = Duration::from_secs(10);

/// Where images come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Mode {
    /// Everything is built here.
    #[default]
    Bundle,
    /// Published images; what has none is built here all the same.
    Registry {
        /// A registry (`HOST:PORT`) that stands in for the hosts of all published references.
        mirror: Option<String>,
    },
}

impl Mode {
    /// Where a component comes from in this mode.
    pub fn source(&self, component: &Component) -> Source {
        let Self::Registry { mirror } = self else {
            return Source::Build;
        };
        if component.image.as_ref().is_some_and(|image| image.in_node) {
            return Source::InNode;
        }
        match component.published() {
            Some(published) => Source::Pull { reference: pull_reference(published, mirror) },
            None => Source::Build,
        }
    }
}

/// What `up` must know of a node image.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NodeFacts {
    /// `imageRepository` of kubeadm's cluster configuration.
    pub image_repository: String,
    /// `etcd.local.imageTag`.
    pub etcd_tag: String,
    /// `dns.imageTag`.
    pub dns_tag: String,
}

/// A digest that `pin` has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// The published reference.
    pub reference: String,
    /// What the lock file said before.
    pub before: Option<String>,
    /// What the registry says.
    pub digest: String,
}

/// The name of a published image at a mirror, or its own.
pub(crate) fn at_mirror(reference: &str, mirror: &Option<String>) -> String {
    match (mirror, reference.split_once('/')) {
        (Some(mirror), Some((_, path))) => format!("{mirror}/{path}"),
        _ => reference.to_owned(),
    }
}

/// What to pull: by digest where one is pinned, so that a moved tag is noticed.
pub(crate) fn pull_reference(published: &Published, mirror: &Option<String>) -> String {
    let reference = at_mirror(&published.reference, mirror);
    match &published.digest {
        Some(digest) => format!("{reference}@{digest}"),
        None => reference,
    }
}

/// Whether a registry answers for the published images. It asks for one manifest and pulls nothing.
pub fn registry_answers(lock: &Lock, mirror: Option<&str>) -> bool {
    let mirror = mirror.map(str::to_owned);
    let published = lock.components.iter().filter(|c| c.node.is_none()).find_map(|c| c.published());
    let Some(published) = published else {
        return false;
    };
    let mut tool = Tool::new("docker").args(["manifest", "inspect"]).timeout(ANSWER);
    if mirror.is_some() {
        tool = tool.arg("--insecure");
    }
    tool.arg(at_mirror(&published.reference, &mirror)).run().is_ok()
}

impl Bundle {
    /// Asks the registry for the digest of every published image and writes it into the lock file,
    /// of which every other byte stays. Each image is pulled for it.
    pub fn pin(&mut self, mirror: Option<&str>) -> Result<Vec<Pinned>, RegistryError> {
        let mirror = mirror.map(str::to_owned);
        let path = self.workspace().lock_path();
        let access = |source| LockError::Access { path: path.clone(), source };
        let mut text = std::fs::read_to_string(&path).map_err(access)?;
        let mut pinned = Vec::new();
        for published in self.lock().components.iter().filter_map(Component::published) {
            let digest = digest_of(&at_mirror(&published.reference, &mirror))?;
            text = set_digest(&text, &published.reference, &digest)?;
            let (reference, before) = (published.reference.clone(), published.digest.clone());
            pinned.push(Pinned { reference, before, digest });
        }
        let lock = Lock::parse(&text)?;
        let temporary = path.with_extension("lock.new");
        std::fs::write(&temporary, &text)
            .and_then(|()| std::fs::rename(&temporary, &path))
            .map_err(access)?;
        self.replace_lock(lock);
        Ok(pinned)
    }

    /// Pushes the images built here to a mirror, under the published names: so a registry of our own
    /// can stand in for all of them.
    pub fn push_to_mirror(&self, mirror: &str) -> Result<Vec<String>, RegistryError> {
        let mirror = Some(mirror.to_owned());
        let mut pushed = Vec::new();
        for component in &self.lock().components {
            let local = component.local_references();
            let (Some(published), Some(local)) = (component.published(), local.first()) else {
                continue;
            };
            let reference = at_mirror(&published.reference, &mirror);
            image::tag(local, &reference)
                .and_then(|()| image::push(&reference))
                .map_err(transfer("push", &reference))?;
            pushed.push(reference);
        }
        Ok(pushed)
    }
}

fn digest_of(reference: &str) -> Result<String, RegistryError> {
    image::pull(reference, None).map_err(transfer("pull", reference))?;
    let seen = image::inspect_one(reference).map_err(transfer("pull", reference))?;
    let digests = seen.and_then(|image| image.repo_digests).unwrap_or_default();
    let repository = repository_of(reference);
    digests
        .iter()
        .filter_map(|entry| entry.split_once('@'))
        // Docker writes names of its own default registry in short.
        .find(|(name, _)| *name == repository || repository.ends_with(&format!("/{name}")))
        .map(|(_, digest)| digest.to_owned())
        .ok_or_else(|| RegistryError::NoDigest { reference: reference.to_owned() })
}

/// A reference without its tag.
fn repository_of(reference: &str) -> &str {
    let name = reference.rfind('/').map_or(0, |slash| slash + 1);
    reference[name..].find(':').map_or(reference, |colon| &reference[..name + colon])
}

fn transfer<'a>(
    verb: &'static str,
    reference: &'a str,
) -> impl FnOnce(crate::docker::DockerError) -> RegistryError + 'a {
    move |source| RegistryError::Transfer { verb, reference: reference.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::lock::tests::SMALL;

    #[rstest]
    #[case(
        "docker.io/grafana/loki:3.7.8",
        Some("127.0.0.1:5000"),
        "127.0.0.1:5000/grafana/loki:3.7.8"
    )]
    #[case("registry.k8s.io/e2e/agnhost:2.56", None, "registry.k8s.io/e2e/agnhost:2.56")]
    fn a_mirror_takes_the_place_of_the_host(
        #[case] reference: &str,
        #[case] mirror: Option<&str>,
        #[case] expected: &str,
    ) {
        assert_eq!(at_mirror(reference, &mirror.map(str::to_owned)), expected);
    }

    #[rstest]
    #[case("127.0.0.1:5000/grafana/loki:3.7.8", "127.0.0.1:5000/grafana/loki")]
    #[case("127.0.0.1:5000/grafana/loki", "127.0.0.1:5000/grafana/loki")]
    #[case("loki:1", "loki")]
    fn a_repository_keeps_the_port_of_its_host(#[case] reference: &str, #[case] expected: &str) {
        assert_eq!(repository_of(reference), expected);
    }

    #[test]
    fn each_component_comes_from_where_it_can() {
        let lock = Lock::parse(SMALL).unwrap();
        let mode = Mode::Registry { mirror: Some("m:1".to_owned()) };
        let source = |name| mode.source(lock.component(name).unwrap());
        assert_eq!(source("loki"), Source::Pull { reference: "m:1/grafana/loki:3.7.8".to_owned() });
        assert_eq!(source("kubernetes"), Source::InNode);
        assert_eq!(source("git-server"), Source::Build);
        assert_eq!(Mode::Bundle.source(lock.component("loki").unwrap()), Source::Build);
    }

    #[test]
    fn a_pinned_image_is_pulled_by_its_digest() {
        let published = Published {
            reference: "docker.io/grafana/loki:3.7.8".to_owned(),
            digest: Some("sha256:abc".to_owned()),
        };
        assert_eq!(pull_reference(&published, &None), "docker.io/grafana/loki:3.7.8@sha256:abc");
    }
}
