//! The second path to an image, against a real registry that holds our own images.
//!
//! It needs Docker and a finished bundle, so it is run by name:
//! `cargo test -p partywall-images --test registry -- --ignored`.

#![expect(clippy::unwrap_used, reason = "a failed step of a trial is a failed trial")]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use partywall_images::{
    BuildError, BuildRequest, Bundle, Lock, Mode, Silent, Workspace, registry_answers,
};
use partywall_tool::Tool;

const NAME: &str = "partywall-registry-trial";

/// A registry container that is removed at the end, also when the test fails.
struct Registry {
    address: String,
}

impl Registry {
    fn start(image: &str) -> Self {
        remove_container();
        Tool::new("docker")
            .args(["run", "--detach", "--name", NAME, "--label", "dev.partywall.session=trial"])
            .args(["--publish", "127.0.0.1::5000", image])
            .run()
            .unwrap();
        let port = Tool::new("docker").args(["port", NAME, "5000/tcp"]).run().unwrap();
        let address = port.stdout_text().lines().next().unwrap().to_owned();
        let registry = Self { address };
        registry.wait();
        registry
    }

    #[expect(clippy::disallowed_methods, reason = "a bounded poll in a test")]
    fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(&self.address).is_err() {
            assert!(Instant::now() < deadline, "the registry does not listen");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        remove_container();
        remove_images(&self.address);
    }
}

fn remove_container() {
    let _ = Tool::new("docker").args(["rm", "--force", "--volumes", NAME]).run_unchecked();
}

/// Removes the names that images got by way of this registry; the images themselves stay.
fn remove_images(address: &str) {
    let filter = format!("reference={address}/*/*");
    for format in ["{{.Repository}}:{{.Tag}}", "{{.Repository}}@{{.Digest}}"] {
        let list = ["images", "--digests", "--format", format, "--filter", &filter];
        let Ok(names) = Tool::new("docker").args(list).run() else {
            return;
        };
        let names = names.stdout_text().into_owned();
        for name in names.lines().filter(|name| !name.contains("<none>")) {
            let _ = Tool::new("docker").args(["rmi", name]).run_unchecked();
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The repository with a lock file of its own, so that pinning changes nothing of ours.
fn copy_of_repository(folder: &Path) {
    for name in ["Cargo.lock", "harness"] {
        symlink(root().join(name), folder.join(name)).unwrap();
    }
    let config = folder.join("kind-config");
    std::fs::create_dir(&config).unwrap();
    for name in ["modules", "node-image"] {
        symlink(root().join("kind-config").join(name), config.join(name)).unwrap();
    }
    std::fs::copy(root().join("kind-config/images.lock"), config.join("images.lock")).unwrap();
}

#[test]
#[ignore = "needs Docker and a finished bundle"]
fn images_come_from_a_registry_by_the_digest_that_was_pinned() {
    let folder = tempfile::tempdir().unwrap();
    copy_of_repository(folder.path());
    let mut bundle = Bundle::open(Workspace::new(folder.path())).unwrap();
    let registry = Registry::start(&bundle.resolve(&Mode::Bundle, "registry").unwrap());
    let mirror = registry.address.clone();

    assert!(!registry_answers(bundle.lock(), Some(&mirror)), "it is empty");
    let pushed = bundle.push_to_mirror(&mirror).unwrap();
    assert!(registry_answers(bundle.lock(), Some(&mirror)));
    let pinned = bundle.pin(Some(&mirror)).unwrap();
    assert_eq!(pinned.len(), pushed.len());
    assert!(pinned.iter().all(|pin| pin.before.is_none() && pin.digest.starts_with("sha256:")));

    // What was pushed from here must come back from there.
    for reference in &pushed {
        Tool::new("docker").args(["rmi", "--no-prune", reference]).run().unwrap();
    }
    let mode = Mode::Registry { mirror: Some(mirror.clone()) };
    let request = BuildRequest { mode: mode.clone(), only: vec!["node".to_owned()] };
    let report = bundle.build(&request, &Silent).unwrap();
    assert!(report.made > pushed.len() - 1, "{report:?}");
    assert_eq!(bundle.build(&request, &Silent).unwrap().made, 0, "a second build does nothing");
    let node = bundle.resolve(&mode, "node").unwrap();
    // The mirror's node image is ours, so it still says what it carries.
    assert!(bundle.node_facts(&node).unwrap().is_some());
    // What has no published image is built here; whether that is done is not the question.
    let published = |name: &str| bundle.lock().component(name).unwrap().published().is_some();
    let mut findings = bundle.verify(&mode).unwrap();
    findings.retain(|finding| published(&finding.component));
    assert!(findings.is_empty(), "{findings:?}");

    refuses_an_image_that_is_not_the_pinned_one(&bundle, &mirror, folder.path());
    Tool::new("docker").args(["rmi", &node]).run().unwrap();
}

fn refuses_an_image_that_is_not_the_pinned_one(bundle: &Bundle, mirror: &str, root: &Path) {
    let path = bundle.workspace().lock_path();
    let text = std::fs::read_to_string(&path).unwrap();
    let lock = Lock::parse(&text).unwrap();
    let published = lock.component("loki").unwrap().published().unwrap();
    let wrong = format!("sha256:{}", "0".repeat(64));
    let reference = &published.reference;
    std::fs::write(&path, partywall_images::set_digest(&text, reference, &wrong).unwrap()).unwrap();
    let bundle = Bundle::open(Workspace::new(root)).unwrap();
    let mode = Mode::Registry { mirror: Some(mirror.to_owned()) };
    let request = BuildRequest { mode, only: vec!["loki".to_owned()] };
    let error = bundle.build(&request, &Silent).unwrap_err();
    assert!(matches!(error, BuildError::Components { .. }));
    assert!(error.to_string().contains("loki: `docker pull"), "{error}");
    assert!(error.to_string().contains("log: "), "{error}");
}
