//! What `up` made and later commands attach to: a file, not a process.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::client::ClientError;
use crate::progress::PhaseTime;
use crate::push::{Pushed, SecretExpectation};
use crate::spec::{Bundle, IpFamily};

/// The label on every container, network and volume of ours; its value is the session's name.
pub const SESSION_LABEL: &str = "dev.partywall.session";

const FORMAT: u32 = 1;
/// Where a session is written down, in its folder.
const FILE: &str = "session.json";
/// Names the folders that commands wrote on it.
const WRITTEN: &str = "written";
/// So many of them are remembered.
const WRITTEN_MAX: usize = 512;
/// How long a living API server may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far `up` came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Something of it may exist.
    Begun,
    /// The cluster exists and its API server answered.
    Cluster,
    /// Everything but the layout is there, and the canary bit.
    Platform,
    /// A layout was pushed and its reconciliation came to an end, good or bad.
    Layout,
}

/// A session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    format: u32,
    /// Its name, which is also the kind cluster's.
    pub name: String,
    /// How far `up` came.
    pub stage: Stage,
    /// Number of nodes.
    pub nodes: u8,
    /// Which addresses its pods have.
    #[serde(default)]
    pub ip_family: IpFamily,
    /// What it was made of.
    pub bundle: Bundle,
    /// Ids of the images it was made of, to see whether they were built anew since.
    pub images: Vec<String>,
    /// The Git server, once it runs.
    pub git: Option<GitServer>,
    /// Fresh public keys by the committed ones they stand for.
    pub recipients: BTreeMap<String, String>,
    /// What was pushed last.
    pub pushed: Option<Pushed>,
    /// Folder of the layout that was pushed last.
    #[serde(default)]
    pub layout: Option<PathBuf>,
    /// Fingerprint of the layout that was pushed last.
    pub layout_digest: Option<String>,
    /// What the decrypted secrets of the last push must be, as hashes.
    pub expectations: Vec<SecretExpectation>,
    /// What stands for the world outside of its pods.
    #[serde(default)]
    pub world: World,
    /// Whether the kernel under its nodes speaks SCTP; `None` of a session that was never asked.
    #[serde(default)]
    pub speaks_sctp: Option<bool>,
    /// How long the steps of the last `up` took.
    pub times: Vec<PhaseTime>,
    #[serde(skip)]
    directory: PathBuf,
}

/// What `up` made for the world outside of a session's pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct World {
    /// Whether its nodes have addresses at which a metadata service and others stand.
    pub addresses: bool,
    /// Whether its name server forwards a zone to the harness's.
    pub name_zone: bool,
}

/// The Git server of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitServer {
    /// Address from inside the cluster, without a trailing slash.
    pub cluster_url: String,
    /// Address from this machine, without a trailing slash.
    pub host_url: String,
    /// Who may push; the password is in the session's folder.
    pub user: String,
}

/// A session that cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There is none of that name.
    #[error("there is no session `{name}` (hint: `partywall up` makes one)")]
    Missing {
        /// The name.
        name: String,
    },
    /// The name cannot be one.
    #[error("`{name}` cannot name a session: use 1 to 40 of a-z, 0-9 and `-`, a letter first")]
    Name {
        /// The name.
        name: String,
    },
    /// Its file cannot be understood.
    #[error(
        "failed to understand the session file {path}: {detail} \
         (hint: `partywall down` removes the session)"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// Another command works on it.
    #[error("another `partywall up` or `down` is working on the session `{name}`")]
    Busy {
        /// The name.
        name: String,
    },
    /// The file system said no.
    #[error("failed to {action} {path}: {source}{}", disk_hint(source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

fn disk_hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull => " (hint: the disk is full; free some space and try again)",
        _ => "",
    }
}

/// A lock that ends with the process, so that a killed `up` leaves none behind.
#[derive(Debug)]
pub(crate) struct SessionLock {
    _file: File,
}

impl Session {
    /// A session that is about to be made.
    pub(crate) fn begin(
        state: &Path,
        name: &str,
        nodes: u8,
        bundle: Bundle,
    ) -> Result<Self, SessionError> {
        Ok(Self {
            format: FORMAT,
            name: name.to_string(),
            stage: Stage::Begun,
            nodes,
            ip_family: IpFamily::default(),
            bundle,
            images: Vec::new(),
            git: None,
            recipients: BTreeMap::new(),
            pushed: None,
            layout: None,
            layout_digest: None,
            expectations: Vec::new(),
            speaks_sctp: None,
            world: World::default(),
            times: Vec::new(),
            directory: Self::directory_of(state, name)?,
        })
    }

    /// Where the session of this name keeps its files.
    pub fn directory_of(state: &Path, name: &str) -> Result<PathBuf, SessionError> {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = (1..=40).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(letters);
        if !fits {
            return Err(SessionError::Name { name: name.to_string() });
        }
        Ok(state.join("sessions").join(name))
    }

    /// Whether there is a session file of this name.
    pub fn exists(state: &Path, name: &str) -> bool {
        Self::directory_of(state, name).is_ok_and(|folder| folder.join(FILE).is_file())
    }

    /// Read the session of this name.
    pub fn load(state: &Path, name: &str) -> Result<Self, SessionError> {
        let directory = Self::directory_of(state, name)?;
        let path = directory.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(SessionError::Missing { name: name.to_string() });
            }
            Err(source) => {
                return Err(SessionError::Io { action: "read", path, source });
            }
        };
        let unreadable = |detail| SessionError::Unreadable { path: path.clone(), detail };
        let mut session: Self =
            serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        if session.format != FORMAT {
            let detail = format!("its format is {}, not {FORMAT}", session.format);
            return Err(unreadable(detail));
        }
        session.directory = directory;
        Ok(session)
    }

    /// Keep it. The file is replaced whole, so that a reader never sees half of one.
    pub fn save(&self) -> Result<(), SessionError> {
        let text = serde_json::to_string_pretty(self).map_err(|error| {
            SessionError::Unreadable { path: self.file(FILE), detail: error.to_string() }
        })?;
        self.write_private(FILE, text.as_bytes())
    }

    /// The session's folder.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A file in the session's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The session's own kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.file("kubeconfig")
    }

    /// The Docker network of the session.
    pub fn network(&self) -> String {
        format!("partywall-{}", self.name)
    }

    /// A client for the session's cluster, which answered just now.
    pub async fn client(&self) -> Result<kube::Client, ClientError> {
        let gone = |detail: String| ClientError::Gone { session: self.name.clone(), detail };
        if !self.kubeconfig().exists() {
            return Err(gone("it has no kubeconfig".to_string()));
        }
        let client = crate::client::client(&self.kubeconfig()).await?;
        match tokio::time::timeout(PATIENCE, client.apiserver_version()).await {
            Ok(Ok(_)) => Ok(client),
            Ok(Err(error)) => Err(gone(error.to_string())),
            Err(_) => Err(gone(format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }

    /// Remember a folder that a command wrote, so that secret values are looked for in it too.
    pub fn wrote(&self, folder: &Path) -> Result<(), SessionError> {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
        let mut folders = self.written();
        folders.retain(|one| *one != folder);
        folders.insert(0, folder);
        let lines = folders.iter().take(WRITTEN_MAX).map(|one| format!("{}\n", one.display()));
        self.write_private(WRITTEN, lines.collect::<String>().as_bytes())
    }

    /// The folders that commands wrote and that are still there, the last one first.
    pub fn written(&self) -> Vec<PathBuf> {
        let text = fs::read_to_string(self.file(WRITTEN)).unwrap_or_default();
        text.lines().map(PathBuf::from).filter(|folder| folder.is_dir()).collect()
    }

    /// Write a file of the session that nobody else may read.
    pub(crate) fn write_private(&self, name: &str, bytes: &[u8]) -> Result<(), SessionError> {
        let path = self.file(name);
        let failed = |action, path: &Path, source| SessionError::Io {
            action,
            path: path.to_path_buf(),
            source,
        };
        let folder = path.parent().unwrap_or(&self.directory);
        fs::create_dir_all(folder).map_err(|error| failed("make", folder, error))?;
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(&self.directory, private)
            .map_err(|error| failed("protect", &self.directory, error))?;
        let scratch = path.with_extension("new");
        let mut options = File::options();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        options
            .open(&scratch)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
            .map_err(|error| failed("write", &scratch, error))?;
        fs::rename(&scratch, &path).map_err(|error| failed("write", &path, error))
    }

    /// Remove every file of an earlier session of this name, save the lock that is held.
    pub(crate) fn clear_files(&self) -> Result<(), SessionError> {
        let failed =
            |source| SessionError::Io { action: "clear", path: self.directory.clone(), source };
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name() == "lock" {
                continue;
            }
            let path = entry.path();
            let is_folder = entry.file_type().map_err(failed)?.is_dir();
            let gone = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            gone.map_err(failed)?;
        }
        Ok(())
    }

    /// Remove the folder of a session that was never begun.
    pub(crate) fn forget_if_unmade(state: &Path, name: &str) -> Result<(), SessionError> {
        let begun = Self::directory_of(state, name)?.join(FILE).exists();
        if begun { Ok(()) } else { Self::remove_files(state, name).map(|_existed| ()) }
    }

    /// Remove the session's folder; true if there was one.
    pub(crate) fn remove_files(state: &Path, name: &str) -> Result<bool, SessionError> {
        let path = Self::directory_of(state, name)?;
        let existed = path.join(FILE).exists();
        match fs::remove_dir_all(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => {
                return Err(SessionError::Io { action: "remove", path, source });
            }
        }
        // The folders above go too when this was the last session; otherwise they stay.
        for folder in path.ancestors().skip(1).take(2) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(existed)
    }

    /// Keep other `up`s and `down`s of the same session away until the lock is dropped.
    pub(crate) fn lock(state: &Path, name: &str) -> Result<SessionLock, SessionError> {
        let directory = Self::directory_of(state, name)?;
        let path = directory.join("lock");
        let failed = |source| SessionError::Io { action: "lock", path: path.clone(), source };
        fs::create_dir_all(&directory).map_err(failed)?;
        let file = File::create(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(SessionLock { _file: file }),
            Err(fs::TryLockError::WouldBlock) => Err(SessionError::Busy { name: name.to_string() }),
            Err(fs::TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn bundle() -> Bundle {
        let text = String::new;
        Bundle {
            kind: PathBuf::new(),
            sops: PathBuf::new(),
            node: text(),
            git_server: text(),
            agent: text(),
            components: BTreeMap::new(),
        }
    }

    #[test]
    fn a_session_is_read_as_it_was_kept_and_is_private() {
        let state = tempfile::tempdir().unwrap();
        let session = Session::begin(state.path(), "trial", 2, bundle()).unwrap();
        session.save().unwrap();
        let read = Session::load(state.path(), "trial").unwrap();
        assert_eq!((read.nodes, read.stage), (2, Stage::Begun));
        assert_eq!(read.directory(), session.directory());
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&session.file("session.json")), 0o600);
        assert_eq!(mode(session.directory()), 0o700);
    }

    #[test]
    fn folders_of_a_long_command_are_all_remembered() {
        let state = tempfile::tempdir().unwrap();
        let session = Session::begin(state.path(), "trial", 1, bundle()).unwrap();
        let folders = tempfile::tempdir().unwrap();
        for count in 0..100 {
            let folder = folders.path().join(format!("{count}-mutant"));
            fs::create_dir(&folder).unwrap();
            session.wrote(&folder).unwrap();
        }
        assert_eq!(session.written().len(), 100);
    }

    #[test]
    fn a_missing_session_says_how_to_make_one() {
        let state = tempfile::tempdir().unwrap();
        let error = Session::load(state.path(), "trial").unwrap_err().to_string();
        assert_eq!(error, "there is no session `trial` (hint: `partywall up` makes one)");
    }

    #[test]
    fn half_a_session_file_is_named() {
        let state = tempfile::tempdir().unwrap();
        let session = Session::begin(state.path(), "trial", 1, bundle()).unwrap();
        session.write_private("session.json", b"{").unwrap();
        let error = Session::load(state.path(), "trial").unwrap_err().to_string();
        assert!(error.contains("session.json") && error.contains("partywall down"), "{error}");
    }

    #[test]
    fn rejects_names_that_no_container_could_bear() {
        for name in ["", "Upper", "9first", "a_b", "../x", &"a".repeat(41)] {
            assert!(Session::directory_of(Path::new("/s"), name).is_err(), "{name}");
        }
    }

    #[test]
    fn one_command_at_a_time_works_on_a_session() {
        let state = tempfile::tempdir().unwrap();
        let first = Session::lock(state.path(), "trial").unwrap();
        let second = Session::lock(state.path(), "trial").unwrap_err();
        assert!(matches!(second, SessionError::Busy { .. }));
        drop(first);
        assert!(Session::lock(state.path(), "trial").is_ok());
    }

    #[test]
    fn removing_leaves_other_sessions_and_no_empty_folder() {
        let parent = tempfile::tempdir().unwrap();
        let state = parent.path().join("state");
        for name in ["one", "two"] {
            Session::begin(&state, name, 1, bundle()).unwrap().save().unwrap();
        }
        assert!(Session::remove_files(&state, "one").unwrap());
        assert!(Session::load(&state, "two").is_ok());
        assert!(Session::remove_files(&state, "two").unwrap());
        assert!(!state.exists() && parent.path().exists());
        assert!(!Session::remove_files(&state, "two").unwrap());
    }

    #[test]
    fn a_full_disk_is_called_that() {
        let source = std::io::Error::from(ErrorKind::StorageFull);
        let error = SessionError::Io { action: "write", path: "/x".into(), source }.to_string();
        assert!(error.ends_with("(hint: the disk is full; free some space and try again)"));
    }
}
