//! The node image: a root file system, Kubernetes, and every image that a cluster needs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::debootstrap::ARCHIVE;
use super::image::{link, scratch, under, write};
use super::step::StepError;
use crate::bundle::Bundle;
use crate::content::{Key, files_below};
use crate::docker::image::{self, CONTENT_LABEL, Commit, KUBEADM_LABEL};
use crate::error::BuildError;
use crate::lock::{Component, LOCAL_HOST, NodeRecipe};
use crate::plan::preloaded;
use crate::registry::{Mode, NodeFacts};

/// The programs of the multi-call binary that a node runs by name.
const KUBERNETES: [&str; 3] = ["kubeadm", "kubectl", "kubelet"];
/// The plugins of Debian's package that a node needs.
const CNI_PLUGINS: [&str; 5] = ["bridge", "host-local", "loopback", "portmap", "ptp"];
/// The files on top of the root file system, below the recipe's folder.
const FILES: &str = "files";
/// The script that puts images into the node's containerd, below the recipe's folder.
const PRELOAD: &str = "preload.sh";

/// Makes a node image here.
pub(super) fn build(
    bundle: &Bundle,
    component: &Component,
    recipe: &NodeRecipe,
    key: &Key,
    log: &Path,
) -> Result<(), StepError> {
    let bare = format!("{LOCAL_HOST}/node-bare:{}", component.version);
    build_bare(bundle, component, recipe, &bare, log)?;
    let facts = serde_json::to_string(&facts(bundle)?).unwrap_or_default();
    let result = first_reference(component)?;
    let labels = [(CONTENT_LABEL, key.as_str()), (KUBEADM_LABEL, facts.as_str())];
    let entrypoint =
        component.image.as_ref().map(|image| image.entrypoint.clone()).unwrap_or_default();
    preload(bundle, &Mode::Bundle, recipe, &bare, &result, &entrypoint, &labels, log)
}

/// Puts the images that a cluster needs into a published node image.
pub(super) fn extend_published(
    bundle: &Bundle,
    mode: &Mode,
    component: &Component,
    recipe: &NodeRecipe,
    published: &str,
    key: &Key,
    log: &Path,
) -> Result<(), StepError> {
    let seen = image::inspect_one(published)?
        .ok_or_else(|| StepError::Message(format!("{published} is not here")))?;
    let result = bundle.resolve(mode, first_name(component)?)?;
    let labels = [(CONTENT_LABEL, key.as_str())];
    preload(bundle, mode, recipe, published, &result, &seen.entrypoint(), &labels, log)
}

fn build_bare(
    bundle: &Bundle,
    component: &Component,
    recipe: &NodeRecipe,
    tag: &str,
    log: &Path,
) -> Result<(), StepError> {
    let context = scratch(bundle)?;
    let root = context.path().join("root");
    link(&part(bundle, &recipe.rootfs)?.join(ARCHIVE), &context.path().join(ARCHIVE))?;
    let files = bundle.workspace().kind_config().join(&recipe.folder).join(FILES);
    for file in files_below(&files)? {
        let to = root.join(file.strip_prefix(&files).unwrap_or(&file));
        fs::create_dir_all(to.parent().unwrap_or(&to))
            .and_then(|()| fs::copy(&file, &to))
            .map_err(BuildError::files("copy", &file))?;
    }
    let kubernetes = part(bundle, &recipe.kubernetes)?.join(&recipe.kubernetes);
    link(&kubernetes, &under(&root, "/usr/bin/kubernetes"))?;
    for name in KUBERNETES {
        make_link(&root, &format!("/usr/bin/{name}"), "kubernetes")?;
    }
    for name in CNI_PLUGINS {
        make_link(&root, &format!("/opt/cni/bin/{name}"), &format!("/usr/lib/cni/{name}"))?;
    }
    let unit = "/etc/systemd/system/kubelet.service";
    make_link(&root, "/etc/systemd/system/multi-user.target.wants/kubelet.service", unit)?;
    let pause = component_tag(bundle, "pause")?;
    let config = under(&root, "/etc/containerd/config.toml");
    let text = fs::read_to_string(&config).map_err(BuildError::files("read", &config))?;
    write(&config, &text.replace("PAUSE_TAG", &pause))?;
    write(&under(&root, "/kind/version"), &component.version)?;
    // systemd asks by this variable whether it is in a container.
    let dockerfile = format!("FROM scratch\nADD {ARCHIVE} /\nCOPY root/ /\nENV container=docker\n");
    write(&context.path().join("Dockerfile"), &dockerfile)?;
    Ok(image::build(context.path(), &[tag.to_owned()], &[], log)?)
}

#[expect(clippy::too_many_arguments, reason = "two callers that differ in each of them")]
fn preload(
    bundle: &Bundle,
    mode: &Mode,
    recipe: &NodeRecipe,
    image: &str,
    result: &str,
    entrypoint: &[String],
    labels: &[(&str, &str)],
    log: &Path,
) -> Result<(), StepError> {
    let folder = scratch(bundle)?;
    let archive = folder.path().join("images.tar");
    let carried = preloaded(bundle.lock(), mode).into_iter().flat_map(Component::image_names);
    let references: Vec<String> =
        carried.map(|name| bundle.resolve(mode, name)).collect::<Result<_, _>>()?;
    image::save(&references, &archive, log)?;
    let path = bundle.workspace().kind_config().join(&recipe.folder).join(PRELOAD);
    let script = fs::read_to_string(&path).map_err(BuildError::files("read", &path))?;
    let (script, archive) = (script.as_str(), archive.as_path());
    let owner = bundle.workspace().owner();
    let commit =
        Commit { image, script, archive, entrypoint, labels, owner: owner.short(), result, log };
    Ok(image::run_and_commit(&commit)?)
}

/// What kubeadm must be told, so that it asks for the images that are preloaded.
fn facts(bundle: &Bundle) -> Result<NodeFacts, StepError> {
    Ok(NodeFacts {
        image_repository: LOCAL_HOST.to_owned(),
        etcd_tag: component_tag(bundle, "etcd")?,
        dns_tag: component_tag(bundle, "coredns")?,
    })
}

fn component_tag(bundle: &Bundle, name: &str) -> Result<String, StepError> {
    let component = bundle.lock().component(name);
    let missing = || StepError::Message(format!("a node needs the component `{name}`"));
    Ok(component.ok_or_else(missing)?.tag().to_owned())
}

fn part(bundle: &Bundle, name: &str) -> Result<std::path::PathBuf, StepError> {
    let component = bundle.lock().component(name);
    let missing = || StepError::Message(format!("a node needs the component `{name}`"));
    let component = component.ok_or_else(missing)?;
    Ok(bundle.store().place(name, &bundle.key(component)?))
}

fn first_reference(component: &Component) -> Result<String, StepError> {
    let missing = || StepError::Message(format!("{} has no image name", component.name));
    component.local_references().into_iter().next().ok_or_else(missing)
}

fn first_name(component: &Component) -> Result<&str, StepError> {
    let missing = || StepError::Message(format!("{} has no image name", component.name));
    component.image_names().into_iter().next().ok_or_else(missing)
}

fn make_link(root: &Path, path: &str, target: &str) -> Result<(), BuildError> {
    let path = under(root, path);
    fs::create_dir_all(path.parent().unwrap_or(&path))
        .and_then(|()| symlink(target, &path))
        .map_err(BuildError::files("link", &path))
}
