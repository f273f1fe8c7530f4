//! The bundle: a lock file, its sources, and what is built of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use partywall_tool::Tool;

use crate::content::{Key, KeyMaker};
use crate::docker::DockerError;
use crate::docker::image::{self, CONTENT_LABEL, KUBEADM_LABEL};
use crate::error::{BuildError, LockError, ResolveError};
use crate::lock::{Component, LOCAL_HOST, Lock, Recipe};
use crate::plan::{BuildRequest, Plan, Source, preloaded};
use crate::registry::{Mode, NodeFacts, at_mirror};
use crate::store::{Record, Store};
use crate::workspace::Workspace;

/// How long a compiler may take to say its version. The first call may fetch a toolchain.
const VERSION: Duration = Duration::from_secs(120);

/// A lock file together with its sources and cache.
#[derive(Debug)]
pub struct Bundle {
    lock: Lock,
    workspace: Workspace,
    go: OnceLock<String>,
    rust: OnceLock<String>,
}

/// How far a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComponentState {
    /// There, and made from what is in the repository now.
    Ready,
    /// An image of this name is there, made from something else.
    Outdated,
    /// Not there.
    Missing,
    /// Not needed in this mode: the published node image carries it.
    InNode,
}

impl ComponentState {
    /// For people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Outdated => "outdated",
            Self::Missing => "missing",
            Self::InNode => "in-node",
        }
    }
}

/// One row of a list.
#[derive(Debug, Clone)]
pub struct ComponentStatus {
    /// The component.
    pub name: String,
    /// Its upstream version.
    pub version: String,
    /// Where it comes from.
    pub source: Source,
    /// How far it is.
    pub state: ComponentState,
    /// The names of its images.
    pub images: Vec<String>,
    /// Size of its image, or of its programs; 0 where it is missing.
    pub bytes: u64,
}

/// Something that is not what the lock file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyFinding {
    /// The component.
    pub component: String,
    /// What is wrong, and what helps.
    pub problem: String,
}

impl Bundle {
    /// Reads and checks the lock file.
    pub fn open(workspace: Workspace) -> Result<Self, LockError> {
        let path = workspace.lock_path();
        let text = std::fs::read_to_string(&path)
            .map_err(|source| LockError::Access { path: path.clone(), source })?;
        let lock = Lock::parse(&text)?;
        Ok(Self { lock, workspace, go: OnceLock::new(), rust: OnceLock::new() })
    }

    /// The parsed lock file.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// Where sources are read and results are kept.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    pub(crate) fn replace_lock(&mut self, lock: Lock) {
        self.lock = lock;
    }

    pub(crate) fn store(&self) -> Store {
        Store::new(self.workspace.bundle())
    }

    /// What a manifest must write to run an image of this name (`loki`, `kube-proxy`, `node`).
    pub fn resolve(&self, mode: &Mode, image: &str) -> Result<String, ResolveError> {
        let unknown = || ResolveError::Unknown { name: image.to_owned() };
        let component = self.lock.component_of_image(image).ok_or_else(unknown)?;
        let (Mode::Registry { mirror }, Some(published)) = (mode, component.published()) else {
            return Ok(format!("{LOCAL_HOST}/{image}:{}", component.tag()));
        };
        if component.node.is_some() {
            let tag = published.reference.rsplit(':').next().unwrap_or_default();
            return Ok(format!("{LOCAL_HOST}/{image}:{tag}-registry"));
        }
        Ok(at_mirror(&published.reference, mirror))
    }

    /// For every image: `partywall.local/<name>`, as manifests of this repository write it, to what
    /// stands there in this mode.
    pub fn references(&self, mode: &Mode) -> BTreeMap<String, String> {
        let names = self.lock.components.iter().flat_map(Component::image_names);
        let pair = |name: &str| {
            let reference = self.resolve(mode, name).ok()?;
            Some((format!("{LOCAL_HOST}/{name}"), reference))
        };
        names.filter_map(pair).collect()
    }

    /// A program that runs on this machine (`kind`, `sops`).
    pub fn program(&self, name: &str) -> Result<PathBuf, ResolveError> {
        let has = |component: &&Component| {
            component.go.as_ref().is_some_and(|go| go.programs.contains_key(name))
        };
        let unknown = || ResolveError::Unknown { name: name.to_owned() };
        let component = self.lock.components.iter().find(has).ok_or_else(unknown)?;
        let key = self.key(component)?;
        let store = self.store();
        if store.finished(&component.name, &key).is_none() {
            return Err(ResolveError::NotBuilt { name: name.to_owned() });
        }
        Ok(store.place(&component.name, &key).join(name))
    }

    /// What a node image carries; none for a published one, which is as kubeadm expects it.
    pub fn node_facts(&self, image: &str) -> Result<Option<NodeFacts>, ResolveError> {
        let missing = || ResolveError::NotBuilt { name: image.to_owned() };
        let seen = image::inspect_one(image)?.ok_or_else(missing)?;
        Ok(seen.label(KUBEADM_LABEL).and_then(|label| serde_json::from_str(label).ok()))
    }

    /// All components, in the lock's order.
    pub fn list(&self, mode: &Mode) -> Result<Vec<ComponentStatus>, ResolveError> {
        self.lock.components.iter().map(|component| self.status(mode, component)).collect()
    }

    fn status(&self, mode: &Mode, component: &Component) -> Result<ComponentStatus, ResolveError> {
        let source = mode.source(component);
        let names = component.image_names();
        let images: Vec<String> =
            names.iter().filter_map(|name| self.resolve(mode, name).ok()).collect();
        let (state, bytes) = match &source {
            Source::InNode => (ComponentState::InNode, 0),
            _ if images.is_empty() => self.program_state(component)?,
            _ => self.image_state(mode, component, &images)?,
        };
        Ok(ComponentStatus {
            name: component.name.clone(),
            version: component.version.clone(),
            source,
            state,
            images,
            bytes,
        })
    }

    fn program_state(&self, component: &Component) -> Result<(ComponentState, u64), ResolveError> {
        let record = self.store().finished(&component.name, &self.key(component)?);
        Ok(record.map_or((ComponentState::Missing, 0), |r| (ComponentState::Ready, r.bytes)))
    }

    fn image_state(
        &self,
        mode: &Mode,
        component: &Component,
        images: &[String],
    ) -> Result<(ComponentState, u64), ResolveError> {
        let seen = image::inspect(images)?;
        let Some(size) = seen.values().map(|image| image.size).max() else {
            return Ok((ComponentState::Missing, 0));
        };
        let pulled = matches!(mode.source(component), Source::Pull { .. });
        if pulled && component.node.is_none() {
            return Ok((ComponentState::Ready, size));
        }
        let key = if pulled {
            self.registry_node_key(mode, component)?
        } else {
            Some(self.image_key(component)?)
        };
        let current = |name: &String| {
            let label = seen.get(name).and_then(|image| image.label(CONTENT_LABEL));
            label.is_some() && label == key.as_ref().map(Key::as_str)
        };
        let fresh = images.iter().all(current);
        Ok((if fresh { ComponentState::Ready } else { ComponentState::Outdated }, size))
    }

    /// Compares what is there with what was built and with what the lock file says. A damaged
    /// result is removed from the cache, so that the next build makes it anew.
    pub fn verify(&self, mode: &Mode) -> Result<Vec<VerifyFinding>, ResolveError> {
        let mut findings = Vec::new();
        let request = BuildRequest { mode: mode.clone(), only: Vec::new() };
        for (component, source) in Plan::new(&self.lock, &request)?.items {
            let status = self.status(mode, component)?;
            let problem = match status.state {
                ComponentState::Missing => Some("is missing (hint: partywall images build)"),
                ComponentState::Outdated => Some("is outdated (hint: partywall images build)"),
                ComponentState::Ready | ComponentState::InNode => None,
            };
            findings.extend(problem.map(|text| finding(component, text)));
            if source == Source::Build {
                findings.extend(self.verify_result(component)?);
            }
            findings.extend(self.verify_digest(mode, component)?);
        }
        Ok(findings)
    }

    fn verify_result(&self, component: &Component) -> Result<Option<VerifyFinding>, ResolveError> {
        let (store, key) = (self.store(), self.key(component)?);
        let Some(record): Option<Record> = store.finished(&component.name, &key) else {
            return Ok(None);
        };
        let Some(file) = store.damage(&component.name, &key, &record)? else {
            return Ok(None);
        };
        store.forget(&component.name, &key)?;
        let text =
            format!("`{file}` is not what was built; it is removed, the next build makes it");
        Ok(Some(finding(component, &text)))
    }

    fn verify_digest(
        &self,
        mode: &Mode,
        component: &Component,
    ) -> Result<Option<VerifyFinding>, ResolveError> {
        let Mode::Registry { mirror } = mode else {
            return Ok(None);
        };
        let Some(published) = component.published() else {
            return Ok(None);
        };
        let Some(digest) = &published.digest else {
            return Ok(Some(finding(component, "has no digest (hint: partywall images pin)")));
        };
        let reference = at_mirror(&published.reference, mirror);
        let seen = image::inspect_one(&reference)?.and_then(|image| image.repo_digests);
        let same = seen.iter().flatten().any(|entry| entry.ends_with(digest.as_str()));
        let text = format!("{reference} is not the pinned {digest}");
        Ok((seen.is_some() && !same).then(|| finding(component, &text)))
    }

    /// The key of what a component's recipe gives.
    pub(crate) fn key(&self, component: &Component) -> Result<Key, BuildError> {
        let maker = KeyMaker::new(&component.name);
        Ok(match component.recipe() {
            Recipe::Go(go) => maker
                .field("go", self.go_version()?)
                .recipe(go)
                .folder(&self.workspace.module(&go.module))?,
            Recipe::Debootstrap(recipe) => maker.recipe(recipe),
            Recipe::Cargo(recipe) => maker
                .field("rust", self.rust_version()?)
                .recipe(recipe)
                .folder(&self.workspace.inside(&recipe.sources))?
                .file("Cargo.lock", &self.workspace.inside("Cargo.lock"))?,
            Recipe::Node(recipe) => maker
                .recipe(recipe)
                .field("rootfs", self.needed_key(&recipe.rootfs)?.as_str())
                .field("kubernetes", self.needed_key(&recipe.kubernetes)?.as_str())
                .folder(&self.workspace.kind_config().join(&recipe.folder))?,
        }
        .key())
    }

    /// The key of the image made of it.
    pub(crate) fn image_key(&self, component: &Component) -> Result<Key, BuildError> {
        let mut maker = KeyMaker::new("image").field("part", self.key(component)?.as_str());
        let Some(image) = &component.image else {
            return Ok(maker.key());
        };
        // A published stand-in or a digest has no part in what is built here.
        let recipe = crate::lock::ImageRecipe { published: None, ..image.clone() };
        maker = maker.recipe(&recipe).field("tag", component.tag());
        if let Some(base) = image.base.as_ref().and_then(|name| self.lock.component(name)) {
            maker = maker.field("base", self.image_key(base)?.as_str());
        }
        for (from, to) in &image.copies {
            maker = maker.file(to, &self.workspace.kind_config().join(from))?;
        }
        if component.node.is_some() {
            for carried in preloaded(&self.lock, &Mode::Bundle) {
                maker = maker.field(&carried.name, self.image_key(carried)?.as_str());
            }
        }
        Ok(maker.key())
    }

    /// The key of a node image that is a published one with further images in it; none before all of
    /// them are here.
    pub(crate) fn registry_node_key(
        &self,
        mode: &Mode,
        node: &Component,
    ) -> Result<Option<Key>, ResolveError> {
        let Source::Pull { reference } = mode.source(node) else {
            return Ok(None);
        };
        let carried = preloaded(&self.lock, mode).into_iter().flat_map(Component::image_names);
        let mut wanted = vec![reference];
        wanted.extend(carried.filter_map(|name| self.resolve(mode, name).ok()));
        let mut maker = KeyMaker::new("registry-node");
        if let Some(recipe) = &node.node {
            maker = maker.folder(&self.workspace.kind_config().join(&recipe.folder))?;
        }
        for name in wanted {
            let Some(seen) = image::inspect_one(&name)? else {
                return Ok(None);
            };
            maker = maker.field(&name, &seen.id);
        }
        Ok(Some(maker.key()))
    }

    fn needed_key(&self, name: &str) -> Result<Key, BuildError> {
        match self.lock.component(name) {
            Some(component) => self.key(component),
            None => {
                Err(BuildError::UnknownComponent { name: name.to_owned(), known: String::new() })
            }
        }
    }

    fn go_version(&self) -> Result<&str, BuildError> {
        let hint = "install Go 1.26 or later and put it in PATH";
        version_of(&self.go, "go", &["version"], hint)
    }

    fn rust_version(&self) -> Result<&str, BuildError> {
        version_of(&self.rust, "rustc", &["-vV"], "install Rust with rustup")
    }

    /// The compilation target of this host, as Rust names it.
    pub(crate) fn rust_host(&self) -> Result<String, BuildError> {
        let text = self.rust_version()?;
        let host = text.lines().find_map(|line| line.strip_prefix("host: "));
        Ok(host.unwrap_or("x86_64-unknown-linux-gnu").to_owned())
    }
}

fn version_of<'a>(
    cell: &'a OnceLock<String>,
    program: &'static str,
    args: &[&str],
    hint: &'static str,
) -> Result<&'a str, BuildError> {
    if let Some(known) = cell.get() {
        return Ok(known);
    }
    let output = Tool::new(program).args(args.iter().copied()).timeout(VERSION).run();
    let output = output.map_err(|source| BuildError::Toolchain { program, hint, source })?;
    Ok(cell.get_or_init(|| output.stdout_text().trim().to_owned()))
}

fn finding(component: &Component, problem: &str) -> VerifyFinding {
    VerifyFinding { component: component.name.clone(), problem: problem.to_owned() }
}

impl From<DockerError> for BuildError {
    fn from(source: DockerError) -> Self {
        Self::Docker(source)
    }
}

#[cfg(test)]
#[path = "bundle_tests.rs"]
mod tests;
