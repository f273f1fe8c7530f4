//! From a working tree to a pushed commit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::commit::{Target, Unchanged, commit, push, remove};
use super::error::PushError;
use super::rewrite::rewrite;
use super::secrets::encrypt_anew;
use super::tree::{files, mirror, put};
use crate::session::{GitServer, Session};
use crate::spec::{LayoutSpec, RepositorySpec};

/// Name of the layout's own repository on the local server.
const LAYOUT_REPOSITORY: &str = "deployments";

/// Changes to the working tree that only the pushed commit gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushOptions {
    /// New content of files of the layout, by path; `None` removes the file.
    pub replace: BTreeMap<String, Option<String>>,
    /// Sealed files that are pushed as they are, in place of those sealed to the session's keys.
    pub sealed: BTreeMap<String, String>,
}

/// What was pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    /// The commit of the layout.
    pub commit: String,
    /// Every repository that was pushed, the layout's own first.
    pub repositories: Vec<PushedRepository>,
}

/// One pushed repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushedRepository {
    /// Name on the local server, without `.git`.
    pub name: String,
    /// The address that Flux is given.
    pub url: String,
    /// The commit.
    pub commit: String,
}

/// A repository to be pushed.
struct Source {
    name: String,
    folder: PathBuf,
    committed_url: Option<String>,
}

/// A fingerprint of everything that a push would send.
pub fn layout_digest(layout: &LayoutSpec, options: &PushOptions) -> Result<String, PushError> {
    let mut digest = Sha256::new();
    for source in sources(layout, None) {
        for (name, kind) in files(&source.folder)? {
            digest.update(name.as_os_str().as_encoded_bytes());
            digest.update([0]);
            if kind.is_file() {
                let path = source.folder.join(&name);
                let read = std::fs::read(&path);
                digest.update(read.map_err(|source| PushError::Layout { path, source })?);
            }
            digest.update([0]);
        }
    }
    digest.update(format!("{:?} {options:?}", layout.secrets));
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Push the layout's working tree, and the trees of its other repositories, to the session's Git
/// server, and keep in the session what was pushed.
pub async fn push_layout(
    session: &mut Session,
    layout: &LayoutSpec,
    options: &PushOptions,
) -> Result<Pushed, PushError> {
    let server = session.git.clone();
    let server = server.ok_or_else(|| PushError::NoServer { session: session.name.clone() })?;
    let digest = layout_digest(layout, options)?;
    let sync = std::fs::read_to_string(layout.directory.join(&layout.sync)).ok();
    let sources = sources(layout, sync.as_deref());
    let trees: Vec<PathBuf> =
        sources.iter().map(|source| session.file(&format!("work/{}", source.name))).collect();
    for (source, tree) in sources.iter().zip(&trees) {
        mirror(&source.folder, tree)?;
    }
    if let Some(tree) = trees.first() {
        for (name, content) in &options.replace {
            put(tree, name, content.as_deref())?;
        }
        session.expectations = encrypt_anew(session, layout, tree).await?;
        for (name, text) in &options.sealed {
            put(tree, name, Some(text))?;
        }
    }
    localise(session, layout, &server, &sources, &trees)?;
    let references = references(&trees)?;
    let password = password(session)?;
    let pushes = sources.iter().zip(&trees).map(|(source, tree)| {
        let (server, references, password) = (&server, &references, password.as_str());
        async move { push_one(source, tree, server, references, password).await }
    });
    let repositories = futures::future::try_join_all(pushes).await?;
    let commit = repositories.first().map(|first| first.commit.clone()).unwrap_or_default();
    let pushed = Pushed { commit, repositories };
    session.pushed = Some(pushed.clone());
    session.layout = Some(layout.identity());
    session.layout_digest = Some(digest);
    session.save()?;
    Ok(pushed)
}

/// Turn addresses, keys and images to those of the session.
fn localise(
    session: &Session,
    layout: &LayoutSpec,
    server: &GitServer,
    sources: &[Source],
    trees: &[PathBuf],
) -> Result<(), PushError> {
    let is_contract = |name: &Path| name == Path::new("partywall.yaml");
    let addresses: Vec<(String, String)> = sources
        .iter()
        .filter_map(|source| Some((source.committed_url.clone()?, local_url(server, &source.name))))
        .collect();
    let keys: Vec<(String, String)> = session
        .recipients
        .iter()
        .map(|(committed, fresh)| (committed.clone(), fresh.clone()))
        .collect();
    for tree in trees {
        rewrite(tree, |name| !is_contract(name), &addresses)?;
        rewrite(tree, |name| !is_contract(name), &layout.images)?;
        rewrite(tree, |name| name.file_name().is_some_and(|n| n == ".sops.yaml"), &keys)?;
    }
    Ok(())
}

fn local_url(server: &GitServer, name: &str) -> String {
    format!("{}/{name}.git", server.cluster_url)
}

fn sources(layout: &LayoutSpec, sync: Option<&str>) -> Vec<Source> {
    let own = layout.repositories.iter().find(|repository| is_layout(repository));
    let committed_url = own.map(|own| own.url.clone()).or_else(|| sync.and_then(git_url_of_sync));
    let own = Source {
        name: LAYOUT_REPOSITORY.to_string(),
        folder: layout.directory.clone(),
        committed_url,
    };
    let others = layout.repositories.iter().filter(|repository| !is_layout(repository));
    let others = others.map(|repository| Source {
        name: short_name(&repository.url),
        folder: layout.directory.join(&repository.path),
        committed_url: Some(repository.url.clone()),
    });
    std::iter::once(own).chain(others).collect()
}

fn is_layout(repository: &RepositorySpec) -> bool {
    matches!(repository.path.as_str(), "." | "./" | "")
}

fn git_url_of_sync(text: &str) -> Option<String> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).ok()?;
    let repository = documents.iter().find(|document| document["kind"] == "GitRepository")?;
    repository["spec"]["url"].as_str().map(str::to_string)
}

/// `open-webui-public` of `https://host/org/open-webui-public.git`.
fn short_name(url: &str) -> String {
    let last = url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    last.trim_end_matches(".git").to_string()
}

/// The branches and tags that the layout's GitRepository objects ask for, by address.
fn references(trees: &[PathBuf]) -> Result<BTreeMap<String, BTreeSet<String>>, PushError> {
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for tree in trees {
        for (name, kind) in files(tree)? {
            let is_yaml = name.extension().is_some_and(|end| end == "yaml" || end == "yml");
            let text = std::fs::read_to_string(tree.join(&name)).unwrap_or_default();
            if !kind.is_file() || !is_yaml || !text.contains("GitRepository") {
                continue;
            }
            // A file that is no YAML (a chart's template, say) asks for nothing that can be read.
            let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap_or_default();
            for document in documents.iter().filter(|found| found["kind"] == "GitRepository") {
                let (spec, url) = (&document["spec"], document["spec"]["url"].as_str());
                let names = wanted.entry(url.unwrap_or_default().to_string()).or_default();
                let branch = spec["ref"]["branch"].as_str();
                names.extend(branch.map(|name| format!("refs/heads/{name}")));
                let tag = spec["ref"]["tag"].as_str();
                names.extend(tag.map(|name| format!("refs/tags/{name}")));
            }
        }
    }
    Ok(wanted)
}

async fn push_one(
    source: &Source,
    tree: &Path,
    server: &GitServer,
    references: &BTreeMap<String, BTreeSet<String>>,
    password: &str,
) -> Result<PushedRepository, PushError> {
    let url = local_url(server, &source.name);
    let mut wanted = references.get(&url).cloned().unwrap_or_default();
    if wanted.is_empty() {
        wanted.insert("refs/heads/main".to_string());
    }
    let target = Target {
        repository: &source.name,
        references: &wanted,
        url: &format!("{}/{}.git", server.host_url, source.name),
        user: &server.user,
        password,
    };
    let is_layout = source.name == LAYOUT_REPOSITORY;
    let unchanged = if is_layout { Unchanged::Commit } else { Unchanged::Keep };
    let commit = commit(tree, &target, unchanged).await?;
    push(tree, &target).await?;
    Ok(PushedRepository { name: source.name.clone(), url, commit })
}

/// Push a folder as a branch of the layout's repository that nothing of the layout follows.
pub(crate) async fn push_scratch_branch(
    session: &Session,
    folder: &Path,
    branch: &str,
) -> Result<(), PushError> {
    on_scratch_branch(session, branch, async |target| {
        commit(folder, target, Unchanged::Commit).await?;
        push(folder, target).await
    })
    .await
}

/// Remove such a branch again, from any repository. Its objects stay on the server.
pub(crate) async fn remove_scratch_branch(
    session: &Session,
    folder: &Path,
    branch: &str,
) -> Result<(), PushError> {
    on_scratch_branch(session, branch, async |target| remove(folder, target).await).await
}

async fn on_scratch_branch(
    session: &Session,
    branch: &str,
    act: impl AsyncFnOnce(&Target<'_>) -> Result<(), PushError>,
) -> Result<(), PushError> {
    let server = session.git.as_ref();
    let server = server.ok_or_else(|| PushError::NoServer { session: session.name.clone() })?;
    let references = [format!("refs/heads/{branch}")].into();
    let password = password(session)?;
    let target = Target {
        repository: LAYOUT_REPOSITORY,
        references: &references,
        url: &format!("{}/{LAYOUT_REPOSITORY}.git", server.host_url),
        user: &server.user,
        password: &password,
    };
    act(&target).await
}

fn password(session: &Session) -> Result<String, PushError> {
    let path = session.file("git-password");
    let read = std::fs::read_to_string(&path);
    let text = read.map_err(|source| PushError::Layout { path, source })?;
    Ok(text.trim().to_string())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://example.com/org/open-webui-public.git", "open-webui-public")]
    #[case("ssh://git@example.com/org/deployments", "deployments")]
    #[case("git@example.com:org/chart.git/", "chart")]
    fn names_a_repository_by_the_end_of_its_address(#[case] url: &str, #[case] name: &str) {
        assert_eq!(short_name(url), name);
    }
}
