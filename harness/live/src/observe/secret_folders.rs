//! Files in which a tenant's values could lie: a diagnostics bundle, what the session keeps, and
//! the reports and events that commands wrote on it.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use partywall_core::contract::Contract;
use partywall_core::observation::SearchedPlace;

use super::secret::Vault;
use super::secret_canary::{Canary, as_html, is_packed};
use super::secret_places::{HEAVY, Heap, Hunt, PLANTED, Searcher, planted_value, told};
use crate::session::Session;

/// A larger file is read in pieces of this size.
const BLOCK: usize = 16 * 1024 * 1024;
/// Images of a session, which are no texts.
const IMAGES: &str = "tar";
/// What is read of the reports of earlier commands, the last ones first.
const WRITTEN_BYTES: u64 = 256 * 1024 * 1024;

/// What was found in folders, and whose values are not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundInFolders {
    /// File, offset, form and the beginning of the hash; never the value.
    pub found: Vec<String>,
    /// Tenants whose files do not open, so that nobody knows what to look for, with the reason.
    pub unknown: Vec<String>,
    /// Why a part of the search proves nothing, where it does not.
    pub blind: Option<String>,
}

impl FoundInFolders {
    fn add(&mut self, place: SearchedPlace) {
        self.found.extend(place.found);
        self.blind = self.blind.take().or(place.blind);
    }
}

/// Where the tenants' secret values stand in the files of folders: our own reports, say. That
/// nothing is found counts only where what the harness planted beside it is.
pub async fn secrets_in_folders(
    session: &Session,
    contract: &Contract,
    folders: &[PathBuf],
) -> Result<FoundInFolders, String> {
    let mut all = FoundInFolders::default();
    if session.pushed.is_none() {
        let reason = "every tenant: nothing was pushed to the session".to_string();
        return Ok(FoundInFolders { unknown: vec![reason], ..all });
    }
    // Nothing is asked of the cluster, which may be gone by now.
    let client = crate::client::client(&session.kubeconfig()).await;
    let client = client.map_err(|error| error.to_string())?;
    let vault = Vault { client: &client, session, contract };
    let value = planted_value()?;
    for tenant in contract.tenants.iter().filter(|tenant| tenant.secrets.is_some()) {
        let own = match vault.canaries(tenant) {
            Ok(own) if own.is_empty() => {
                let reason = "none of its values is known: no key of its own opens its files";
                all.unknown.push(format!("{}: {reason}", tenant.name));
                continue;
            }
            Ok(own) => own,
            Err(reason) => {
                all.unknown.push(format!("{}: {reason}", tenant.name));
                continue;
            }
        };
        let hunt = Hunt { own, planted: Canary::new(PLANTED, &value) };
        let mut heap = Heap::default();
        hunt.control(&mut heap, &value);
        for folder in folders {
            hunt.folder(&mut heap, &folder.display().to_string(), folder);
        }
        all.add(told("our own files", heap));
    }
    Ok(all)
}

/// What a run leaves behind, with the value in it as each file writes it.
fn planted_run(value: &str) -> [(&'static str, String); 3] {
    let line = serde_json::json!({"event": "planted", "detail": format!("password={value}")});
    let escaped = as_html(value, "&#x27;");
    let junit = as_html(value, "&apos;");
    [
        ("run.jsonl", format!("{line}\n")),
        ("report.html", format!("<td>{escaped}</td>\n")),
        ("junit.xml", format!("<failure>{junit}</failure>\n")),
    ]
}

/// The harness's own value in a file that is gone with it, also where a search is cut off.
struct PlantedFile(PathBuf);

impl Drop for PlantedFile {
    fn drop(&mut self) {
        // It is the harness's own value, and opens nothing if it stays.
        let _removed = std::fs::remove_file(&self.0);
    }
}

impl Searcher<'_> {
    /// What the harness itself keeps in files.
    pub(super) async fn files(&self, value: &str) -> Vec<SearchedPlace> {
        let bundle = told("a diagnostics bundle", self.bundle(value).await);
        let session = told("the session's files", self.session_files(value).await);
        let (folders, control) = (self.vault.session.written(), value.to_string());
        let written = self.hunt.aside(move |hunt| hunt.written(&control, &folders)).await;
        let (written, unread) = written.unwrap_or_else(|error| (Heap::failed(error), 0));
        let place = match unread {
            0 => "reports and events that commands wrote".to_string(),
            unread => format!(
                "reports and events that commands wrote (not in {unread} older folders: more than \
                 {} MiB)",
                WRITTEN_BYTES / 1024 / 1024
            ),
        };
        vec![bundle, session, told(&place, written)]
    }

    /// A diagnostics bundle as somebody would send it around.
    async fn bundle(&self, value: &str) -> Heap {
        // One tenant's after the other: a bundle takes memory, and asks much of the cluster.
        let _turn = HEAVY.acquire().await;
        let scratch = match tempfile::tempdir() {
            Ok(scratch) => scratch,
            Err(error) => return Heap::failed(error),
        };
        if let Err(error) = crate::diagnose::diagnose(self.vault.session, scratch.path()).await {
            return Heap::failed(error);
        }
        let note = format!("a log line with {value} in it\n");
        if let Err(error) = std::fs::write(scratch.path().join("planted.log"), note) {
            return Heap::failed(error);
        }
        let searched = self.hunt.aside(move |hunt| {
            let mut heap = Heap::default();
            hunt.folder(&mut heap, "bundle", scratch.path());
            heap
        });
        searched.await.unwrap_or_else(Heap::failed)
    }

    async fn session_files(&self, value: &str) -> Heap {
        let session = self.vault.session;
        let name = format!("planted-{}.json", self.tenant.name);
        let planted = serde_json::json!({"value": value}).to_string();
        let file = PlantedFile(session.file(&name));
        if let Err(error) = session.write_private(&name, planted.as_bytes()) {
            return Heap::failed(error);
        }
        let root = session.directory().to_path_buf();
        let searched = self.hunt.aside(move |hunt| {
            let mut heap = Heap::default();
            hunt.files(&mut heap, "session", &root, |path| !is_image(&root, path));
            drop(file);
            heap
        });
        searched.await.unwrap_or_else(Heap::failed)
    }
}

/// Whether a file is an image that the session keeps. Elsewhere an archive is searched.
fn is_image(session: &Path, path: &Path) -> bool {
    path.parent() == Some(session) && path.extension().is_some_and(|one| one == IMAGES)
}

impl Hunt {
    /// Work that holds up no other probe of the same task.
    pub(super) async fn aside<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, String> {
        let hunt = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || work(&hunt)).await;
        done.map_err(|error| error.to_string())
    }

    /// Whether each file of a run shows what was planted in it.
    fn control(&self, heap: &mut Heap, value: &str) {
        for (name, text) in planted_run(value) {
            let mut one = Heap { read: 1, ..Heap::default() };
            self.bytes(&mut one, name, text.as_bytes());
            if !one.planted {
                heap.failed = Some(format!("what the harness planted was not found in a {name}"));
            }
            heap.join(one);
        }
    }

    /// The folders that commands wrote, the last one first, and how many were too much to read.
    fn written(&self, value: &str, folders: &[PathBuf]) -> (Heap, usize) {
        let mut heap = Heap::default();
        self.control(&mut heap, value);
        let (mut bytes, mut unread) = (0, 0);
        for folder in folders {
            bytes += size(folder);
            if bytes > WRITTEN_BYTES {
                unread += 1;
                continue;
            }
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.folder(&mut heap, &name, folder);
        }
        (heap, unread)
    }

    pub(super) fn folder(&self, heap: &mut Heap, word: &str, root: &Path) {
        self.files(heap, word, root, |_| true);
    }

    fn files(&self, heap: &mut Heap, word: &str, root: &Path, wanted: impl Fn(&Path) -> bool) {
        for path in files(root) {
            let path = match path {
                Ok(path) if !wanted(&path) => continue,
                Ok(path) => path,
                Err(error) => {
                    heap.failed = Some(format!("a folder of the {word} cannot be read: {error}"));
                    continue;
                }
            };
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            match self.file(heap, &format!("{word} {name}"), &path, BLOCK) {
                Ok(()) => heap.read += 1,
                // A file that is gone by now holds nothing.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => heap.failed = Some(format!("{word} {name} cannot be read: {error}")),
            }
        }
    }

    /// A file in blocks, each with the end of the one before it, so that what stands across their
    /// border is found too.
    fn file(&self, heap: &mut Heap, place: &str, path: &Path, block: usize) -> std::io::Result<()> {
        let mut file = File::open(path)?;
        let (overlap, mut bytes, mut behind) = (self.longest(), Vec::new(), 0);
        loop {
            let most = (block + overlap - bytes.len()) as u64;
            let is_first = bytes.is_empty();
            let has_more =
                Read::by_ref(&mut file).take(most).read_to_end(&mut bytes)? as u64 == most;
            if is_first && has_more && is_packed(&bytes) {
                heap.failed = Some(format!("{place} is an archive too large to be unpacked"));
            }
            match behind {
                0 => self.bytes(heap, place, &bytes),
                behind => self.bytes(heap, &format!("{place} from byte {behind} on"), &bytes),
            }
            if !has_more {
                return Ok(());
            }
            let before = bytes.len().saturating_sub(overlap);
            behind += before;
            bytes.drain(..before);
        }
    }

    /// The longest of all forms that are looked for.
    fn longest(&self) -> usize {
        let canaries = self.own.iter().chain([&self.planted]);
        canaries.map(Canary::longest).max().unwrap_or_default()
    }
}

fn size(folder: &Path) -> u64 {
    files(folder).flatten().map(|path| path.metadata().map_or(0, |data| data.len())).sum()
}

/// Every plain file below a folder; links are not followed. What is gone by now is passed over,
/// but not the folder itself.
fn files(root: &Path) -> impl Iterator<Item = std::io::Result<PathBuf>> {
    let mut left = vec![(root.to_path_buf(), true)];
    let mut found: Vec<std::io::Result<PathBuf>> = Vec::new();
    std::iter::from_fn(move || {
        loop {
            if let Some(one) = found.pop() {
                return Some(one);
            }
            let (folder, is_root) = left.pop()?;
            let mut look = || -> std::io::Result<()> {
                for entry in std::fs::read_dir(&folder)? {
                    let entry = entry?;
                    match entry.file_type() {
                        Ok(kind) if kind.is_dir() => left.push((entry.path(), false)),
                        Ok(kind) if kind.is_file() => found.push(Ok(entry.path())),
                        Ok(_) => {}
                        Err(error) if error.kind() == ErrorKind::NotFound => {}
                        Err(error) => found.push(Err(error)),
                    }
                }
                Ok(())
            };
            match look() {
                // A command that ends takes its scratch with it.
                Err(error) if error.kind() == ErrorKind::NotFound && !is_root => {}
                Err(error) => found.push(Err(error)),
                Ok(()) => {}
            }
        }
    })
}

#[cfg(test)]
#[path = "secret_folders_tests.rs"]
mod tests;
