//! Every object that Git has, and not only what a branch still shows: what was pushed once stays
//! in the server's repositories until they are swept, and whoever has its name can fetch it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use partywall_core::observation::SearchedPlace;
use partywall_tool::Tool;

use super::secret_places::{HEAVY, Heap, Hunt, Searcher, told};
use crate::kind::git_files;
use crate::programs::run;
use crate::push::{push_scratch_branch, remove_scratch_branch};

/// How the branches begin on which the harness plants its own value: one for each tenant, so that
/// the next search takes away what one that was cut off has left.
const BRANCH: &str = "partywall-planted";
/// Repositories that hold more than this, unpacked, are told as not searched.
const OBJECTS_BYTES: u64 = 512 * 1024 * 1024;
const READ: Duration = Duration::from_secs(60);

/// One object of a repository.
struct Object<'a> {
    name: &'a str,
    kind: &'a str,
    content: &'a [u8],
}

impl Searcher<'_> {
    /// The objects of the session's Git server, and those of the repositories that it pushes from.
    pub(super) async fn git(&self, value: &str) -> Vec<SearchedPlace> {
        // One tenant's after the other: each reads every object there is.
        let _turn = HEAVY.acquire().await;
        let scratch = match self.plant_in_git(value).await {
            Ok(scratch) => scratch,
            Err(error) => return vec![told("objects of the Git server", Heap::failed(error))],
        };
        let mut server = Heap::default();
        match server_copy(self.vault.session).await {
            Ok(copy) => self.hunt.all_below(&mut server, copy.path(), None).await,
            Err(error) => server.failed = Some(error),
        }
        let (mut local, work) = (Heap::default(), self.vault.session.file("work"));
        self.hunt.all_below(&mut local, &work, Some(scratch.path())).await;
        vec![
            told("objects of the Git server, also those that no branch holds", server),
            told("objects of the repositories that the session pushes from", local),
        ]
    }

    /// On a branch that is gone again before anything is read, so that only a search in all
    /// objects finds it; in the folder that it was pushed from, it is packed.
    async fn plant_in_git(&self, value: &str) -> Result<tempfile::TempDir, String> {
        let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
        let text = format!("password: {value}\n");
        std::fs::write(scratch.path().join("planted.yaml"), text)
            .map_err(|error| error.to_string())?;
        let (session, branch) = (self.vault.session, format!("{BRANCH}-{}", self.tenant.name));
        let failed = |error: crate::push::PushError| error.to_string();
        push_scratch_branch(session, scratch.path(), &branch).await.map_err(failed)?;
        remove_scratch_branch(session, scratch.path(), &branch).await.map_err(failed)?;
        let pack = git(scratch.path()).args(["repack", "-a", "-d", "--quiet"]);
        run(pack).await.map_err(|error| error.to_string())?;
        Ok(scratch)
    }
}

impl Hunt {
    /// Every repository directly below a folder, and the one where something was planted.
    async fn all_below(self: &Arc<Self>, heap: &mut Heap, root: &Path, planted: Option<&Path>) {
        let mut repositories = match folders(root) {
            Ok(folders) => folders,
            Err(error) => {
                heap.failed = Some(format!("the repositories cannot be listed: {error}"));
                return;
            }
        };
        if repositories.is_empty() {
            heap.failed = Some("there are no repositories".to_string());
        }
        repositories.extend(planted.map(Path::to_path_buf));
        self.repositories(heap, &repositories).await;
    }

    async fn repositories(self: &Arc<Self>, heap: &mut Heap, repositories: &[PathBuf]) {
        for repository in repositories {
            let name = repository.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match objects(repository).await {
                Ok(bytes) => {
                    let searched = self.aside(move |hunt| {
                        let mut one = Heap::default();
                        hunt.objects_of(&mut one, &name, &bytes);
                        one
                    });
                    heap.join(searched.await.unwrap_or_else(Heap::failed));
                }
                Err(error) => heap.failed = Some(format!("{name}: {error}")),
            }
        }
    }

    fn objects_of(&self, heap: &mut Heap, repository: &str, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((object, behind)) = split(rest) {
            rest = behind;
            heap.read += 1;
            let short = object.name.get(..10).unwrap_or(object.name);
            let place = format!("Git {} {short} of {repository}", object.kind);
            self.bytes(heap, &place, object.content);
        }
        if !rest.is_empty() {
            heap.failed = Some(format!("{repository}: the list of objects broke off"));
        }
    }
}

/// The first object of what `git cat-file --batch` says, and what is behind it.
fn split(bytes: &[u8]) -> Option<(Object<'_>, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (head, rest) = bytes.split_at(end);
    let mut words = std::str::from_utf8(head).ok()?.split(' ');
    let (name, kind) = (words.next()?, words.next()?);
    let size: usize = words.next()?.parse().ok()?;
    let content = rest.get(1..size.checked_add(1)?)?;
    Some((Object { name, kind, content }, rest.get(size.checked_add(2)?..)?))
}

/// Every object of a repository, loose or packed, reachable or not, unpacked.
async fn objects(repository: &Path) -> Result<Vec<u8>, String> {
    let list = |format: &str| {
        let arguments = ["cat-file", "--batch-all-objects", "--unordered", format];
        run(git(repository).args(arguments).timeout(READ))
    };
    let sizes = list("--batch-check=%(objectsize)").await.map_err(|error| error.to_string())?;
    let sizes = sizes.stdout_text();
    let whole: u64 = sizes.lines().filter_map(|line| line.parse::<u64>().ok()).sum();
    if whole > OBJECTS_BYTES {
        let (has, most) = (whole / 1024 / 1024, OBJECTS_BYTES / 1024 / 1024);
        return Err(format!("{has} MiB of objects, and {most} MiB are searched at most"));
    }
    let read = list("--batch").await.map_err(|error| error.to_string())?;
    Ok(read.stdout)
}

/// A folder that is no repository must not be taken for the one that it lies in.
fn git(folder: &Path) -> Tool {
    crate::push::git(folder).env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap_or(folder))
}

/// The server's repositories, copied file by file: a clone would leave out what no branch holds.
async fn server_copy(session: &crate::session::Session) -> Result<tempfile::TempDir, String> {
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let copied = run(git_files(session, scratch.path()).timeout(READ)).await;
    copied.map_err(|error| error.to_string())?;
    Ok(scratch)
}

/// The folders directly below a folder.
fn folders(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
#[path = "secret_git_tests.rs"]
mod tests;
