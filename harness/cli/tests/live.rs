//! `up`, `test`, `push` and `down` against a real Docker daemon: interrupted, in the way of others,
//! with a cluster that went away. Listed always; run with `PARTYWALL_LIVE=1`, once
//! `partywall images build` has made the images. The trials take turns, and share one session.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test runs programs as a user does"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use partywall_live::{Session, enforcement_off, enforcement_on};
use support::{Outcome, Place};

/// How long an interrupted program may take to end.
const PROMPT: Duration = Duration::from_secs(15);
/// How long `up` may take until its node's container is there.
const NODE_LIMIT: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The machine has room for one cluster, and the session is one.
    arguments.test_threads = Some(1);
    let live = std::env::var_os("PARTYWALL_LIVE").is_some_and(|value| value == "1");
    let shared = Arc::new(Shared::new());
    type Body = fn(&Shared);
    let bodies: [(&str, Body); 10] = [
        ("docker_silent", docker_is_silent),
        ("disk_full", the_disk_of_docker_is_full),
        ("disk_full_of_sessions", the_disk_of_the_sessions_is_full),
        ("foreign_cluster", a_cluster_that_is_not_ours_stays),
        ("interrupted_up", an_interrupted_up_goes_on),
        ("second_up", a_second_up_reuses_the_session),
        ("refused_push", a_refused_push_names_the_repository),
        ("enforcement_off", a_run_without_enforcement_proves_nothing),
        ("cluster_gone", a_cluster_that_is_gone_comes_back),
        ("killed_up", a_killed_up_is_removed_whole),
    ];
    let trials = bodies.into_iter().map(|(name, body)| {
        let shared = Arc::clone(&shared);
        let run = move || {
            body(&shared);
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(!live)
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if live && !arguments.list {
        shared.run("down").ends(0, &[]);
    }
    conclusion.exit_code()
}

/// The session that the trials share.
struct Shared {
    place: Place,
    session: String,
}

impl Shared {
    fn new() -> Self {
        let place = Place::new();
        let kubeconfig = place.write("users-own-kubeconfig", "a file that nobody may touch\n");
        let session = format!("pw-t-{}", std::process::id());
        Self { place: place.with("KUBECONFIG", kubeconfig), session }
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = self.place.command(&[verb, "--session", &self.session]);
        if verb == "up" {
            command.args(["--images", "bundle"]);
        }
        command
    }

    fn run(&self, verb: &str) -> Outcome {
        let output = self.command(verb).output().unwrap();
        self.place.outcome(&output)
    }

    fn up(&self) -> Outcome {
        let outcome = self.run("up");
        outcome.ends(0, &[]);
        assert!(outcome.stdout.contains("objects, ready"), "{outcome:#?}");
        outcome
    }

    fn node(&self) -> String {
        format!("{}-control-plane", self.session)
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.place.path(&format!("state/sessions/{}/{name}", self.session))
    }

    /// An `up` from nothing that has come to the middle: its node is starting.
    fn up_to_the_middle(&self) -> Child {
        self.run("down").ends(0, &[]);
        let mut command = self.command("up");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let started = Instant::now();
        while !docker(&["ps", "--quiet", "--filter", &format!("name=^{}$", self.node())]).1 {
            assert!(started.elapsed() < NODE_LIMIT, "no node came");
            assert!(child.try_wait().unwrap().is_none(), "`up` ended early");
            sleep(Duration::from_millis(200));
        }
        child
    }

    fn signal(&self, child: Child, signal: &str) -> Outcome {
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let started = Instant::now();
        let output = child.wait_with_output().unwrap();
        assert!(started.elapsed() < PROMPT, "it took {:?} to end", started.elapsed());
        self.place.outcome(&output)
    }

    fn nothing_is_left(&self) {
        let label = format!("label=dev.partywall.session={}", self.session);
        let cluster = format!("label=io.x-k8s.kind.cluster={}", self.session);
        for filter in [&label, &cluster] {
            let (left, any) = docker(&["ps", "--all", "--quiet", "--filter", filter]);
            assert!(!any, "containers are left: {left}");
            let (left, any) = docker(&["volume", "ls", "--quiet", "--filter", filter]);
            assert!(!any, "volumes are left: {left}");
        }
        let network = format!("name=partywall-{}", self.session);
        for filter in [&label, &network] {
            let (left, any) = docker(&["network", "ls", "--quiet", "--filter", filter]);
            assert!(!any, "networks are left: {left}");
        }
        assert!(!self.place.path("state").exists(), "the session's folder is left");
    }
}

/// What docker prints, and whether that is anything.
fn docker(arguments: &[&str]) -> (String, bool) {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "docker {arguments:?}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap().trim().to_string();
    let any = !text.is_empty();
    (text, any)
}

fn docker_is_silent(shared: &Shared) {
    let mut command = shared.command("up");
    command.env("DOCKER_HOST", format!("unix://{}", shared.place.path("no.sock").display()));
    let outcome = shared.place.outcome(&command.output().unwrap());
    outcome.ends(3, &["the Docker daemon does not answer", "FOLDER/no.sock", "hint: "]);
    shared.nothing_is_left();
}

/// A Docker of which only its answers are real, with its folder on the disk at `root`.
fn docker_with_root(root: &Path) -> String {
    format!(
        r#"case "$1" in
version) echo 29.0.0 ;;
info) echo '{{"ServerVersion": "29.0.0", "DockerRootDir": "{}"}}' ;;
image) echo sha256:0 ;;
network) exit 1 ;;
esac"#,
        root.display()
    )
}

fn the_disk_of_docker_is_full(_shared: &Shared) {
    let place = Place::new();
    let script = docker_with_root(&place.path("docker"));
    let (place, possible) = place.with_docker(&script).with_tiny_disk("docker", "size=3m");
    assert!(possible, "this trial mounts a small disk; run it as root");
    place.run(&["up", "--images", "bundle"]).ends(
        3,
        &["FOLDER/docker has 3 MiB free, and a cluster wants 4096 MiB (hint: the disk is full"],
    );
    assert!(!place.path("state").exists());
}

fn the_disk_of_the_sessions_is_full(_shared: &Shared) {
    let place = Place::new();
    let script = docker_with_root(Path::new("/"));
    // Room for the two folders and the lock, and for no session file.
    let (place, possible) = place.with_docker(&script).with_tiny_disk("state", "nr_inodes=4");
    assert!(possible, "this trial mounts a small disk; run it as root");
    let full = "No space left on device (os error 28) (hint: the disk is full; free some";
    place.run(&["up", "--images", "bundle"]).ends(3, &["error: failed to ", "FOLDER/state/", full]);
}

fn a_cluster_that_is_not_ours_stays(shared: &Shared) {
    let name = format!("{}-foreign", shared.session);
    let (container, label) =
        (format!("{name}-control-plane"), format!("io.x-k8s.kind.cluster={name}"));
    let (image, _) = docker(&[
        "image",
        "ls",
        "--format",
        "{{.Repository}}:{{.Tag}}",
        "partywall.local/git-server",
    ]);
    let image = image.lines().next().unwrap();
    docker(&["create", "--name", &container, "--label", &label, image]);
    let outcomes = ["up", "down"].map(|verb| shared.place.run(&[verb, "--session", &name]));
    let (_, is_there) =
        docker(&["ps", "--all", "--quiet", "--filter", &format!("name=^{container}$")]);
    docker(&["rm", "--force", &container]);
    let foreign =
        format!("kind cluster `{name}` (container {container}) that Partywall did not make");
    let [up, down] = outcomes;
    up.ends(3, &[&foreign, "it is left alone (hint: choose another name with `--session`)"]);
    down.ends(3, &[&foreign, "it is left alone"]);
    assert!(is_there, "the cluster of another was removed");
    assert!(!shared.place.path(&format!("state/sessions/{name}")).exists());
}

fn an_interrupted_up_goes_on(shared: &Shared) {
    let child = shared.up_to_the_middle();
    shared.signal(child, "-INT").ends(
        3,
        &[
            "error: interrupted\nhint: `partywall up` goes on where it stopped",
            "`partywall down` removes what is there",
        ],
    );
    shared.up();
}

fn a_second_up_reuses_the_session(shared: &Shared) {
    shared.up();
    let before = docker(&["inspect", "--format", "{{.Id}}", &shared.node()]);
    let again = shared.up();
    assert!(again.stdout.contains("(reused)"), "{again:#?}");
    assert_eq!(docker(&["inspect", "--format", "{{.Id}}", &shared.node()]), before);
    let own = fs::read_to_string(shared.place.path("users-own-kubeconfig")).unwrap();
    assert_eq!(own, "a file that nobody may touch\n");
}

fn a_refused_push_names_the_repository(shared: &Shared) {
    shared.up();
    let file = shared.file("git-password");
    let password = fs::read_to_string(&file).unwrap();
    fs::write(&file, "wrong").unwrap();
    let refused = shared.run("push");
    fs::write(&file, &password).unwrap();
    refused
        .ends(3, &["the Git server refused the push of deployments", "hint: only the session's"]);
    assert!(!refused.stderr.contains(&password), "the password was printed");
    shared.run("push").ends(0, &[]);
}

fn a_run_without_enforcement_proves_nothing(shared: &Shared) {
    shared.up();
    let session = Session::load(&shared.place.path("state"), &shared.session).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let client = runtime.block_on(session.client()).unwrap();
    let switched = runtime.block_on(enforcement_off(&client, &session));
    let blind = shared.run("test");
    runtime.block_on(enforcement_on(&client)).unwrap();
    switched.unwrap();
    blind.ends(
        3,
        &[
            "the enforcement canary did not bite: with a deny-all ingress policy, these came through",
            "nothing could be proven",
            "hint: this cluster's network plugin does not enforce NetworkPolicy",
        ],
    );
    assert_eq!(blind.stdout, "", "a run that proves nothing shows no matrix");
    assert!(!shared.place.path("reports/events").exists(), "and leaves no events");
    shared.run("test").ends(0, &[]);
}

fn a_cluster_that_is_gone_comes_back(shared: &Shared) {
    shared.up();
    docker(&["rm", "--force", "--volumes", &shared.node()]);
    let gone =
        format!("the cluster of the session `{}` is gone or does not answer", shared.session);
    for verb in ["test", "push"] {
        shared.run(verb).ends(3, &[&gone, "hint: `partywall up` repairs it"]);
    }
    shared.up();
    shared.run("down").ends(0, &["removed"]);
    shared.nothing_is_left();
}

fn a_killed_up_is_removed_whole(shared: &Shared) {
    let child = shared.up_to_the_middle();
    assert_eq!(shared.signal(child, "-KILL").code, None);
    shared.run("down").ends(0, &["removed"]);
    shared.nothing_is_left();
    shared.run("down").ends(0, &["nothing to remove"]);
    shared.nothing_is_left();
}
