use std::fs;
use std::path::Path;

use super::*;
use crate::workspace::Workspace;

const MODULE: &str = "module partywall.dev/bundle/NAME\n\ngo 1.24\n";

/// A repository with two programs and no images, so that nothing needs Docker.
fn repository(root: &Path) -> Bundle {
    let config = root.join("kind-config");
    for (name, source) in [("good", "package main\n\nfunc main() {}\n"), ("bad", "package main\n")]
    {
        let module = config.join("modules").join(name);
        fs::create_dir_all(&module).unwrap();
        fs::write(module.join("go.mod"), MODULE.replace("NAME", name)).unwrap();
        fs::write(module.join("main.go"), source).unwrap();
    }
    let lock = "apiVersion: partywall.dev/v1alpha1\nkind: ImagesLock\ncomponents:\n\
                \x20 - {name: bad, version: v1, go: {module: bad, programs: {bad: .}}}\n\
                \x20 - {name: good, version: v1, go: {module: good, programs: {good: .}}}\n";
    fs::write(config.join("images.lock"), lock).unwrap();
    Bundle::open(Workspace::new(root).with_cache(root.join("cache"))).unwrap()
}

/// Keeps the events as lines.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl Progress for Lines {
    fn event(&self, event: &ProgressEvent<'_>) {
        let line = match event {
            ProgressEvent::Planned { steps } => format!("planned {steps}"),
            ProgressEvent::Started { component, step, .. } => format!("started {component} {step}"),
            ProgressEvent::Reused { component, .. } => format!("reused {component}"),
            ProgressEvent::Finished { component, .. } => format!("finished {component}"),
            ProgressEvent::Failed { component, .. } => format!("failed {component}"),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(line);
    }
}

#[test]
fn a_failure_names_its_log_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = repository(dir.path());
    let lines = Lines::default();
    let error = bundle.build(&BuildRequest::default(), &lines).unwrap_err();
    let expected =
        ["planned 2", "started bad build", "failed bad", "started good build", "finished good"];
    assert_eq!(*lines.0.lock().unwrap(), expected);
    let text = error.to_string();
    assert!(text.starts_with("failed to build 1 of the components\nbad: `go build"), "{text}");
    assert!(text.contains("function main is undeclared"), "{text}");
    let BuildError::Components { failures } = error else { panic!("{text}") };
    let log = failures[0].log.as_ref().unwrap();
    assert!(fs::read_to_string(log).unwrap().contains("function main is undeclared"));
}

#[test]
fn a_second_build_does_nothing_until_a_source_changes() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = repository(dir.path());
    let request = BuildRequest { only: vec!["good".to_owned()], ..BuildRequest::default() };
    let build = || bundle.build(&request, &crate::progress::Silent).unwrap();
    assert_eq!((build().made, build().made, build().reused), (1, 0, 1));
    assert!(bundle.program("good").unwrap().is_file());
    let source = dir.path().join("kind-config/modules/good/main.go");
    fs::write(source, "package main\n\nfunc main() { println() }\n").unwrap();
    assert!(bundle.program("good").is_err());
    assert_eq!(build().made, 1);
}

#[test]
fn a_damaged_result_is_found_and_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = repository(dir.path());
    let request = BuildRequest { only: vec!["good".to_owned()], ..BuildRequest::default() };
    bundle.build(&request, &crate::progress::Silent).unwrap();
    fs::write(bundle.program("good").unwrap(), "not a program").unwrap();
    let findings = bundle.verify(&Mode::Bundle).unwrap();
    let problems: Vec<&str> = findings.iter().map(|f| f.problem.as_str()).collect();
    assert_eq!(
        problems,
        [
            "is missing (hint: partywall images build)",
            "`good` is not what was built; it is removed, the next build makes it",
        ]
    );
    assert_eq!(bundle.build(&request, &crate::progress::Silent).unwrap().made, 1);
}
