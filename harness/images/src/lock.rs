//! `images.lock`: what there is to build or pull, and how.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error::LockError;

/// The host part of every image built here. It is nobody's registry.
pub(crate) const LOCAL_HOST: &str = "partywall.local";

/// The parsed lock file; names are unique and every reference between entries exists.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lock {
    api_version: String,
    kind: String,
    /// The components, in the order in which they are built.
    pub components: Vec<Component>,
}

/// One component: a recipe, and the image made from its result.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Component {
    /// The name, also of its image.
    pub name: String,
    /// The upstream version.
    pub version: String,
    /// Built from a Go module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub go: Option<GoRecipe>,
    /// A Debian root file system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debootstrap: Option<DebootstrapRecipe>,
    /// A static program of this workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cargo: Option<CargoRecipe>,
    /// The node image, put together from other components.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeRecipe>,
    /// The image; without one the component is a program that runs on this machine, or a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageRecipe>,
}

/// Programs built from one folder under `modules/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GoRecipe {
    /// The folder under `modules/`.
    pub module: String,
    /// Program name to package path.
    pub programs: BTreeMap<String, String>,
    /// Package variables set at link time (`-X`).
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
}

/// A Debian root file system, minimal variant.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DebootstrapRecipe {
    /// The Debian suite.
    pub suite: String,
    /// Packages on top of the minimal variant.
    pub packages: Vec<String>,
}

/// A static program built from a crate of this workspace.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CargoRecipe {
    /// The package.
    pub package: String,
    /// The binary.
    pub program: String,
    /// The profile of the workspace that it is built with.
    pub profile: String,
    /// The folder whose files are the source.
    pub sources: String,
}

/// How the node image is put together.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeRecipe {
    /// The component with the root file system.
    pub rootfs: String,
    /// The component with the Kubernetes programs.
    pub kubernetes: String,
    /// The folder under `kind-config/` with what goes on top.
    pub folder: String,
}

/// An image: a program on nothing or on a base, and its settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageRecipe {
    /// Image names; the component's own where none is given.
    #[serde(default)]
    pub names: Vec<String>,
    /// Tag; the component's version where none is given.
    #[serde(default)]
    pub tag: Option<String>,
    /// The component whose root file system it stands on; none is an empty image.
    #[serde(default)]
    pub base: Option<String>,
    /// The user it runs as.
    #[serde(default)]
    pub user: u32,
    /// The entrypoint; the first program where none is given.
    #[serde(default)]
    pub entrypoint: Vec<String>,
    /// The command.
    #[serde(default)]
    pub command: Vec<String>,
    /// Where a program goes, if not in `/usr/local/bin`.
    #[serde(default)]
    pub places: BTreeMap<String, String>,
    /// Symbolic links: path to target.
    #[serde(default)]
    pub links: BTreeMap<String, String>,
    /// Files under `kind-config/` to a path in the image.
    #[serde(default)]
    pub copies: BTreeMap<String, String>,
    /// Empty folders that anyone may write to.
    #[serde(default)]
    pub folders: Vec<String>,
    /// Whether the node image carries it.
    #[serde(default = "yes")]
    pub preload: bool,
    /// Whether a published node image carries its own version of it.
    #[serde(default)]
    pub in_node: bool,
    /// The published image in its place.
    #[serde(default)]
    pub published: Option<Published>,
}

fn yes() -> bool {
    true
}

/// A published image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Published {
    /// Host, repository and tag.
    pub reference: String,
    /// The digest that `pin` has seen.
    #[serde(default)]
    pub digest: Option<String>,
}

/// A component's recipe: exactly one of the four.
#[derive(Debug, Clone, Copy)]
pub enum Recipe<'a> {
    /// See [`GoRecipe`].
    Go(&'a GoRecipe),
    /// See [`DebootstrapRecipe`].
    Debootstrap(&'a DebootstrapRecipe),
    /// See [`CargoRecipe`].
    Cargo(&'a CargoRecipe),
    /// See [`NodeRecipe`].
    Node(&'a NodeRecipe),
}

impl Lock {
    /// Parses and checks a lock file.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let lock: Self = serde_saphyr::from_str(text)
            .map_err(|error| LockError::Syntax { message: error.to_string() })?;
        lock.check()?;
        Ok(lock)
    }

    /// The component of this name.
    pub fn component(&self, name: &str) -> Option<&Component> {
        self.components.iter().find(|component| component.name == name)
    }

    /// The component whose image has this name.
    pub fn component_of_image(&self, image: &str) -> Option<&Component> {
        self.components.iter().find(|c| c.image_names().contains(&image))
    }

    fn check(&self) -> Result<(), LockError> {
        if self.api_version != "partywall.dev/v1alpha1" || self.kind != "ImagesLock" {
            let found = format!("{} {}", self.api_version, self.kind);
            return Err(LockError::Header { found });
        }
        let mut components = BTreeSet::new();
        let mut images = BTreeSet::new();
        for component in &self.components {
            if !components.insert(component.name.as_str()) {
                return Err(LockError::Twice { name: component.name.clone() });
            }
            if let Some(name) = component.image_names().into_iter().find(|n| !images.insert(*n)) {
                return Err(LockError::Twice { name: name.to_owned() });
            }
            self.check_component(component)?;
        }
        Ok(())
    }

    fn check_component(&self, component: &Component) -> Result<(), LockError> {
        let name = &component.name;
        if component.recipes() != 1 {
            return Err(LockError::Recipe { component: name.clone() });
        }
        for needed in component.needs() {
            if self.component(needed).is_none() {
                let (component, needed) = (name.clone(), needed.to_owned());
                return Err(LockError::Unknown { component, needed });
            }
        }
        let Some(published) = component.image.as_ref().and_then(|i| i.published.as_ref()) else {
            return Ok(());
        };
        let (component, reference) = (name.clone(), published.reference.clone());
        if !has_host_and_tag(&reference) {
            return Err(LockError::Reference { component, reference });
        }
        match &published.digest {
            Some(digest) if !is_digest(digest) => {
                Err(LockError::Digest { component, digest: digest.clone() })
            }
            _ => Ok(()),
        }
    }
}

impl Component {
    /// The recipe. A parsed lock has exactly one per component.
    pub fn recipe(&self) -> Recipe<'_> {
        match (&self.go, &self.debootstrap, &self.cargo, &self.node) {
            (Some(go), ..) => Recipe::Go(go),
            (_, Some(debootstrap), ..) => Recipe::Debootstrap(debootstrap),
            (_, _, Some(cargo), _) => Recipe::Cargo(cargo),
            (_, _, _, Some(node)) => Recipe::Node(node),
            (None, None, None, None) => unreachable!("Lock::parse refuses a missing recipe"),
        }
    }

    /// The names of its images; none where it has no image.
    pub fn image_names(&self) -> Vec<&str> {
        match &self.image {
            None => Vec::new(),
            Some(image) if image.names.is_empty() => vec![&self.name],
            Some(image) => image.names.iter().map(String::as_str).collect(),
        }
    }

    /// The tag of its images.
    pub fn tag(&self) -> &str {
        self.image.as_ref().and_then(|image| image.tag.as_deref()).unwrap_or(&self.version)
    }

    /// The names and tags under which its images are built here.
    pub fn local_references(&self) -> Vec<String> {
        let tagged = |name: &str| format!("{LOCAL_HOST}/{name}:{}", self.tag());
        self.image_names().into_iter().map(tagged).collect()
    }

    /// The published image in its place, if there is one.
    pub fn published(&self) -> Option<&Published> {
        self.image.as_ref()?.published.as_ref()
    }

    /// Other components that this one is made from.
    pub fn needs(&self) -> Vec<&str> {
        let base = self.image.as_ref().and_then(|image| image.base.as_deref());
        let parts = self.node.as_ref().map(|node| [node.rootfs.as_str(), node.kubernetes.as_str()]);
        base.into_iter().chain(parts.into_iter().flatten()).collect()
    }

    fn recipes(&self) -> usize {
        [self.go.is_some(), self.debootstrap.is_some(), self.cargo.is_some(), self.node.is_some()]
            .into_iter()
            .filter(|given| *given)
            .count()
    }
}

fn has_host_and_tag(reference: &str) -> bool {
    let Some((host, path)) = reference.split_once('/') else {
        return false;
    };
    let name = path.rsplit('/').next().unwrap_or(path);
    let tagged =
        name.split_once(':').is_some_and(|(name, tag)| !name.is_empty() && !tag.is_empty());
    (host.contains('.') || host.contains(':')) && tagged && !reference.contains('@')
}

fn is_digest(digest: &str) -> bool {
    digest.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
    })
}

#[cfg(test)]
#[path = "lock_tests.rs"]
pub(crate) mod tests;
