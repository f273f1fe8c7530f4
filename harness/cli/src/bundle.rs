//! From the images lock to the references and programs that a session is made of.

use std::collections::BTreeMap;
use std::path::Path;

use partywall_images::{Bundle, Mode, NodeFacts, Workspace, registry_answers};

use crate::args::ImageSource;
use crate::failure::Failure;
use crate::{paths, print};

/// References by the names of their components.
type Components = BTreeMap<String, String>;

/// What a session is made of, and what layouts' image names become.
pub struct Resolved {
    /// For the live backend.
    pub bundle: partywall_live::Bundle,
    /// Image names of the fixtures and what stands in their place, where that differs.
    pub images: Vec<(String, String)>,
}

/// The bundle of this repository, with its results in `cache`.
pub fn open(cache: &Path) -> Result<Bundle, Failure> {
    let mut workspace = Workspace::new(paths::root());
    workspace.cache = cache.to_path_buf();
    Bundle::open(workspace).map_err(Failure::usage)
}

/// Where images come from: a registry if one answers, unless the user says.
pub fn mode(bundle: &Bundle, source: ImageSource, mirror: Option<&str>) -> Mode {
    let registry = || Mode::Registry { mirror: mirror.map(str::to_string) };
    match source {
        ImageSource::Bundle => Mode::Bundle,
        ImageSource::Registry => registry(),
        ImageSource::Auto if registry_answers(bundle.lock(), mirror) => registry(),
        ImageSource::Auto => Mode::Bundle,
    }
}

/// What `up` needs, in this mode.
pub fn resolve(source: ImageSource, mirror: Option<&str>) -> Result<Resolved, Failure> {
    let bundle = open(&paths::cache())?;
    let mode = mode(&bundle, source, mirror);
    if matches!(mode, Mode::Registry { .. }) {
        print::note("images: published references of kind-config/images.lock");
    }
    let image = |name: &str| bundle.resolve(&mode, name).map_err(Failure::environment);
    let program = |name: &str| bundle.program(name).map_err(Failure::environment);
    let mut components = components(&bundle, &mode);
    let images = images_in_place(&bundle, &components);
    let node = image("node")?;
    if mode != Mode::Bundle {
        node_components(&mut components, bundle.node_facts(&node).map_err(Failure::environment)?);
    }
    let bundle = partywall_live::Bundle {
        kind: program("kind")?,
        sops: program("sops")?,
        node,
        git_server: image("git-server")?,
        agent: image("agent")?,
        components,
    };
    Ok(Resolved { bundle, images })
}

/// What layouts' image names become in a session that was made of these components.
pub fn session_images(components: &Components) -> Result<Vec<(String, String)>, Failure> {
    Ok(images_in_place(&open(&paths::cache())?, components))
}

fn images_in_place(bundle: &Bundle, components: &Components) -> Vec<(String, String)> {
    let built = self::components(bundle, &Mode::Bundle).into_iter();
    let pairs = built.filter_map(|(name, here)| Some((here, components.get(&name)?.clone())));
    pairs.filter(|(here, there)| here != there).collect()
}

/// The images by their components' names, as the live backend's own manifests ask for them.
fn components(bundle: &Bundle, mode: &Mode) -> Components {
    let named = bundle.references(mode).into_iter().map(|(name, reference)| {
        let component = name.strip_prefix("partywall.local/").map(str::to_string);
        (component.unwrap_or(name), reference)
    });
    named.collect()
}

/// What kubeadm must be told of the node image: the tags that it carries if it was built here and
/// came by way of a mirror, and nothing if it is a published one, which is as kubeadm expects it.
fn node_components(components: &mut Components, facts: Option<NodeFacts>) {
    components.remove("etcd");
    components.remove("coredns");
    if let Some(NodeFacts { image_repository, etcd_tag, dns_tag }) = facts {
        components.insert("etcd".to_string(), format!("{image_repository}/etcd:{etcd_tag}"));
        components.insert("coredns".to_string(), format!("{image_repository}/coredns:{dns_tag}"));
    }
}
