//! The second way to an image, from end to end: a registry that is filled from the bundle stands
//! in for all publishers, its digests are pinned, and the cluster made of what was pulled from it
//! holds. Listed always; run with `PARTYWALL_LIVE=1`, once `partywall images build` has made the
//! images. It takes about five minutes.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "this is a test: it runs the program as a user would"
)]

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use support::{Outcome, Place, root};

/// How long the registry may take until it listens.
const LISTENS: Duration = Duration::from_secs(30);
/// What is the project's and not a file of the run.
const NOT_COPIED: [&str; 4] = [".git", "kind-config", "reports", "target"];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let live = std::env::var_os("PARTYWALL_LIVE").is_some_and(|value| value == "1");
    let run = || {
        a_cluster_from_a_registry_holds();
        Ok(())
    };
    let trial = Trial::test("cluster_from_a_registry", run).with_ignored_flag(!live);
    libtest_mimic::run(&arguments, vec![trial]).exit_code()
}

fn a_cluster_from_a_registry_holds() {
    let rig = Rig::new();
    let mirror = rig.registry.address.clone();
    let from_mirror = ["--images", "registry", "--registry-mirror", &mirror];

    let pushed = rig.run(&["images", "push", &mirror]);
    let pushed: Vec<&str> = pushed.stdout.lines().collect();
    assert!(pushed.len() >= 8, "{pushed:?}");
    rig.run(&["images", "pin", "--registry-mirror", &mirror]);
    let lock = fs::read_to_string(rig.repository.join("kind-config/images.lock")).unwrap();
    assert_eq!(lock.matches("digest: \"sha256:").count(), pushed.len(), "one digest an image");

    // What was pushed from here must come back from there, by its digest.
    for reference in &pushed {
        docker(&["rmi", "--no-prune", reference]);
    }
    rig.run(&[&["images", "build"], &from_mirror[..]].concat());
    rig.run(&[&["up", "--session", &rig.session], &from_mirror[..]].concat());
    let running = rig.images();
    let unused = ["kindest/node", "agnhost"];
    let wanted = pushed.iter().filter(|name| !unused.iter().any(|other| name.contains(other)));
    for reference in wanted {
        assert!(running.contains(&format!("{reference}\n")), "{reference} does not run: {running}");
    }
    let judged = rig.run(&["test", "--session", &rig.session]);
    assert!(judged.stdout.contains("every claim is proven"), "{judged:#?}");

    // Another push of the layout keeps the images that the session was made of.
    rig.run(&["push", "--session", &rig.session]);
    assert_eq!(rig.images(), running);
    let ours = fs::read_to_string(root().join("kind-config/images.lock")).unwrap();
    assert_ne!(lock, ours, "the lock file of the project stays as it is");
}

/// A registry, a copy of the project with a lock file of its own, and a session's name.
struct Rig {
    place: Place,
    repository: PathBuf,
    registry: Registry,
    session: String,
}

impl Rig {
    fn new() -> Self {
        let session = format!("pw-r-{}", std::process::id());
        let place = Place::new();
        let repository = place.path("repository");
        copy_of_repository(&repository);
        let place = place.with("PARTYWALL_ROOT", &repository);
        Self { place, repository, registry: Registry::start(&session), session }
    }

    /// Run the program to its end, which must be a good one.
    fn run(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.place.run(arguments);
        outcome.ends(0, &[]);
        outcome
    }

    /// The images of the layout's and of Flux's pods, each once.
    fn images(&self) -> String {
        let node = format!("{}-control-plane", self.session);
        let kubectl = ["kubectl", "--kubeconfig=/etc/kubernetes/admin.conf"];
        let path =
            "-o=jsonpath={range .items[*].spec.template.spec.containers[*]}{.image}{\"\\n\"}{end}";
        let get = ["get", "deployments", "--all-namespaces", path];
        let all = docker(&[&["exec", &node], &kubectl[..], &get[..]].concat());
        let mut images: Vec<&str> = all.lines().collect();
        images.sort_unstable();
        images.dedup();
        images.iter().map(|image| format!("{image}\n")).collect()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let down = self.place.run(&["down", "--session", &self.session]);
        // A second panic would hide the first.
        assert!(std::thread::panicking() || down.code == Some(0), "{down:#?}");
    }
}

/// The project by links, but for the lock file, so that pinning changes nothing of ours.
fn copy_of_repository(folder: &Path) {
    let config = folder.join("kind-config");
    fs::create_dir_all(&config).unwrap();
    link_all(&root(), folder, &NOT_COPIED);
    link_all(&root().join("kind-config"), &config, &["images.lock"]);
    fs::copy(root().join("kind-config/images.lock"), config.join("images.lock")).unwrap();
}

fn link_all(from: &Path, to: &Path, except: &[&str]) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if !except.iter().any(|name| entry.file_name() == *name) {
            symlink(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// A registry container of the bundle's own image, gone with all its names at the end.
struct Registry {
    container: String,
    address: String,
}

impl Registry {
    fn start(session: &str) -> Self {
        let container = format!("{session}-registry");
        let label = format!("dev.partywall.session={container}");
        let image = registry_image();
        let start = ["run", "--detach", "--name", &container, "--label", &label];
        docker(&[&start[..], &["--publish", "127.0.0.1::5000", &image]].concat());
        let mut registry = Self { container, address: String::new() };
        let port = docker(&["port", &registry.container, "5000/tcp"]);
        registry.address = port.lines().next().unwrap().to_string();
        let started = Instant::now();
        while TcpStream::connect(&registry.address).is_err() {
            assert!(started.elapsed() < LISTENS, "the registry does not listen");
            sleep(Duration::from_millis(100));
        }
        registry
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let quiet = |arguments: &[&str]| {
            // What is already gone is as good as removed.
            let output = Command::new("docker").args(arguments).output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        quiet(&["rm", "--force", "--volumes", &self.container]);
        let filter = format!("reference={}/*/*", self.address);
        for format in ["{{.Repository}}:{{.Tag}}", "{{.Repository}}@{{.Digest}}"] {
            let list = ["images", "--digests", "--format", format, "--filter", &filter];
            for name in quiet(&list).lines().filter(|name| !name.contains("<none>")) {
                quiet(&["rmi", name]);
            }
        }
        let nodes = ["images", "--format", "{{.Repository}}:{{.Tag}}", "--filter"];
        let nodes = quiet(&[&nodes[..], &["reference=partywall.local/node:*-registry"]].concat());
        nodes.lines().for_each(|name| {
            quiet(&["rmi", name]);
        });
    }
}

/// The image of the registry as the bundle names it.
fn registry_image() -> String {
    let filter = "reference=partywall.local/registry";
    let images = ["images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", filter];
    let images = docker(&images);
    let image = images.lines().next().map(str::to_string);
    image.expect("`partywall images build` makes the image of the registry")
}

/// What docker prints.
fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "docker {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
