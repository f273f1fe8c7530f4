//! Input that nobody who means well would write: an error with its place each time, or a reading
//! of it, and never a panic or an end of memory.

#[expect(dead_code, reason = "not every test needs all of it")]
mod render_support;

use std::collections::BTreeMap;

use partywall_core::Layout;
use partywall_core::contract::{Contract, check};
use partywall_core::document::documents;
use partywall_core::scenario::load_scenario;
use partywall_core::source::{SourceLocation, TEXT_BYTES_MAX};
use partywall_offline::load::{folder_files, working_tree, working_tree_lenient};
use partywall_offline::render::{Object, Rendered, Repository};
use partywall_offline::{draft, scan, sops};
use rstest::rstest;

/// Nine levels of ten aliases each: a thousand million values.
fn bomb() -> String {
    let mut text = String::from("a: &a [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..9_u8 {
        let (previous, current) = ((b'a' + level - 1) as char, (b'a' + level) as char);
        let aliases = vec![format!("*{previous}"); 10].join(",");
        text.push_str(&format!("{current}: &{current} [{aliases}]\n"));
    }
    text
}

fn flow_depth() -> String {
    "[".repeat(100_000)
}

fn mapping_depth() -> String {
    "{a: ".repeat(100_000)
}

fn block_depth() -> String {
    "- ".repeat(100_000)
}

fn indented_depth() -> String {
    (0..2_000).map(|level| format!("{}a:\n", " ".repeat(level))).collect()
}

fn duplicate() -> String {
    "kind: A\nspec: {a: 1}\nspec: {a: 2}\n".to_string()
}

fn large() -> String {
    format!("a: {}\n", "x".repeat(10 * 1024 * 1024))
}

fn nul() -> String {
    "kind: A\nname: a\0b\n".to_string()
}

fn dangling_alias() -> String {
    "kind: A\nname: *nowhere\n".to_string()
}

fn unclosed() -> String {
    "kind: A\nname: \"a\n".to_string()
}

fn many_documents() -> String {
    "---\n{a: &a [1], b: *a}\n".repeat(100_000)
}

fn many_anchors() -> String {
    let anchors: String = (0..200_000).map(|n| format!("- &a{n} x\n")).collect();
    format!("{anchors}- [*a0")
}

type Make = fn() -> String;

/// The stack of a program's main thread: a build without optimisation needs more of it for the
/// depth that the reader allows than a test's thread has.
const STACK_BYTES: usize = 8 * 1024 * 1024;

fn on_a_main_stack(work: impl FnOnce() + Send + 'static) {
    let thread =
        std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).expect("a thread starts");
    thread.join().expect("the thread ends");
}

#[rstest]
fn every_loader_names_the_place(
    #[values(
        bomb as Make,
        flow_depth,
        mapping_depth,
        block_depth,
        indented_depth,
        duplicate,
        large,
        nul,
        dangling_alias,
        unclosed,
        many_anchors
    )]
    make: Make,
) {
    on_a_main_stack(move || names_the_place(make()));
}

fn names_the_place(text: String) {
    let lines = text.lines().count() as u64 + 1;
    let in_text = |location: &SourceLocation| {
        assert_eq!(location.file, "x.yaml");
        assert!((1..=lines).contains(&location.line), "{location} of {lines}");
    };
    let files = BTreeMap::from([("x.yaml".to_string(), text.clone())]);
    in_text(&documents("x.yaml", &text).expect_err("the text is refused").location);
    in_text(&Contract::load("x.yaml", &text).expect_err("the text is refused").location);
    in_text(&load_scenario("x.yaml", &text).expect_err("the text is refused").location);
    in_text(&Layout::new(files.clone()).expect_err("the text is refused").location);
    let layout = Layout::lenient(files);
    assert_eq!((layout.unread.len(), layout.documents.len()), (1, 0));
    let sealed = format!("{text}\nsops:\n  mac: x\n");
    let error = sops::recipients("x.yaml", &sealed).expect_err("the text is refused").to_string();
    assert!(error.starts_with("x.yaml:"), "{error}");
    let _ = scan::readable_secrets(&layout);
    let _ = draft::draft(&layout, &Rendered::default());
}

#[rstest]
#[case::carriage_returns("kind: Namespace\r\nmetadata:\r\n  name: a\r\n")]
#[case::byte_order_mark("\u{feff}kind: Namespace\nmetadata:\n  name: a\n")]
#[case::no_last_line("kind: Namespace\nmetadata: {name: a}")]
#[case::directive("%YAML 1.2\n---\nkind: Namespace\nmetadata: {name: a}\n...\n")]
#[case::anchors("x: &x a\nkind: Namespace\nmetadata: {name: *x}\n")]
fn unusual_texts_are_read(#[case] text: &str) {
    let files = BTreeMap::from([("ns.yaml".to_string(), text.to_string())]);
    let layout = Layout::new(files).expect("the text is YAML");
    assert!(layout.namespaces().contains_key("a"), "{:?}", layout.documents);
}

#[test]
fn many_small_documents_and_one_huge_scalar_are_read() {
    let scalar = format!("kind: A\ndata: |\n  {}\n", "x".repeat(TEXT_BYTES_MAX - 64));
    let files = [("a.yaml", many_documents()), ("b.yaml", scalar)];
    let files = files.map(|(path, text)| (path.to_string(), text)).into();
    let layout = Layout::lenient(files);
    let all = layout.documents.len() + layout.unread.len();
    assert!(all == 2 || layout.documents.len() == 100_001, "{:?}", layout.unread);
    assert!(layout.of_kind("A").next().is_some(), "{:?}", layout.unread);
}

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder is made");
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a file is in a folder"))
            .expect("the folder is made");
        std::fs::write(path, content).expect("the file is written");
    }
    folder
}

#[rstest]
#[case::not_utf8(b"kind: A\nname: \xff\n", 2)]
#[case::utf16(b"\xff\xfek\0i\0n\0d\0", 1)]
#[case::latin1(b"kind: A\n# caf\xe9\n", 2)]
fn yaml_that_is_no_text_is_not_passed_over(#[case] content: &[u8], #[case] line: u64) {
    let folder = folder(&[("a/x.yaml", content), ("a/y.bin", content)]);
    let expected = SourceLocation::new("a/x.yaml", line);
    assert_eq!(working_tree(folder.path()).expect_err("the text is refused").location, expected);
    assert_eq!(folder_files(folder.path()).expect_err("the text is refused").location, expected);
    let lenient = working_tree_lenient(folder.path()).expect("it is there");
    assert_eq!(lenient.unread[0].location, expected);
    assert_eq!(lenient.unread.len(), 1);
}

#[test]
fn a_large_file_and_a_pipe_are_not_read() {
    let folder = folder(&[("big.yaml", large().as_bytes()), ("a.yaml", b"kind: A\n")]);
    let pipe = folder.path().join("pipe.yaml");
    partywall_tool::Tool::new("mkfifo").arg(&pipe).run().expect("it is there");
    let lenient = working_tree_lenient(folder.path()).expect("it is there");
    assert_eq!(
        lenient.unread[0].to_string(),
        "big.yaml:1: the file has more than the 4194304 bytes that are read"
    );
    assert_eq!(lenient.files.keys().collect::<Vec<_>>(), ["a.yaml"]);
}

const CONTRACT: &str = "\
apiVersion: partywall.dev/v1alpha1
kind: Contract
tenants:
  - name: a
    namespaces: [a]
    org: a
    secrets: {files: [PATH], recipients: [age1x], keySecret: flux-system/key}
platform: []
endpoints: {}
flows: []
";

#[rstest]
#[case::above("../../etc/passwd")]
#[case::absolute("/etc/passwd")]
#[case::through_a_folder("a/../ns.yaml")]
fn a_contract_names_no_file_outside(#[case] path: &str) {
    let ns = "kind: Namespace\nmetadata: {name: a}\n";
    let layout =
        Layout::new([("ns.yaml".to_string(), ns.to_string())].into()).expect("it is there");
    let with = |path: &str| {
        let contract =
            Contract::load("partywall.yaml", &CONTRACT.replace("PATH", path)).expect("it is there");
        check("partywall.yaml", &contract, &layout)
    };
    let errors = with(path);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].to_string().contains(path), "{}", errors[0]);
    assert_eq!(with("ns.yaml"), []);
}

fn rendered(files: &[(&str, &str)]) -> Rendered {
    let mut all = BTreeMap::from([("flux-system/gotk-sync.yaml".to_string(), SYNC.to_string())]);
    all.extend(files.iter().map(|(path, text)| (path.to_string(), text.to_string())));
    let own = Repository {
        url: "https://git.example.com/x.git".to_string(),
        prefix: ".".to_string(),
        files: BTreeMap::new(),
    };
    let layout = Layout::lenient(all);
    let rendered = render_support::rendered(&layout, &[own]);
    let _ = draft::draft(&layout, &rendered);
    rendered
}

const SYNC: &str = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {interval: 1m, url: 'https://git.example.com/x.git'}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec: {interval: 1m, path: ./app, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
";

#[rstest]
#[case::above(&[("app/kustomization.yaml", "resources:\n  - ../../../../../../etc/hostname\n")], "app/kustomization.yaml:2")]
#[case::absolute(&[("app/kustomization.yaml", "resources: [/etc/hostname]\n")], "/etc/hostname")]
#[case::generated(&[("app/kustomization.yaml", "configMapGenerator:\n  - name: x\n    files: [a=../../x]\n")], "app/kustomization.yaml:3")]
#[case::remote(&[("app/kustomization.yaml", "resources: ['https://git.example.com/y.yaml']\n")], "app/kustomization.yaml:1")]
#[case::itself(&[("app/kustomization.yaml", "resources: [../app]\n")], "app")]
#[case::circle(&[
    ("app/kustomization.yaml", "resources: [../b]\n"),
    ("b/kustomization.yaml", "resources: [../app]\n"),
], "cycle")]
#[case::bomb(&[("app/kustomization.yaml", "resources: [x.yaml]\n"), ("app/x.yaml", "BOMB")], "x.yaml")]
#[case::bomb_in_place(&[("app/kustomization.yaml", "BOMB")], "app/kustomization.yaml")]
#[case::deep(&[("app/kustomization.yaml", "DEEP")], "app/kustomization.yaml")]
#[case::plugin(&[("app/kustomization.yaml", "generators: [g.yaml]\n"), ("app/g.yaml", "apiVersion: x\nkind: Exec\nmetadata: {name: x, annotations: {config.kubernetes.io/function: 'exec: {path: /bin/true}'}}\n")], "app/kustomization.yaml:1")]
fn a_build_that_leads_astray_fails(#[case] files: &[(&str, &str)], #[case] named: &str) {
    let (bomb, deep) = (bomb(), flow_depth());
    let texts: Vec<(&str, String)> = files
        .iter()
        .map(|(path, text)| (*path, text.replace("BOMB", &bomb).replace("DEEP", &deep)))
        .collect();
    let files: Vec<(&str, &str)> =
        texts.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let rendered = rendered(&files);
    let root =
        rendered.flux.iter().find(|object| object.kind == "Kustomization").expect("it is there");
    assert!(!root.ready, "{root:?}");
    assert!(root.message.contains(named), "{}", root.message);
    // Nothing of the folder is applied, whatever it took in.
    let elsewhere = |object: &&Object| !object.origin.file.starts_with("flux-system/");
    assert_eq!(rendered.objects.iter().find(elsewhere).map(Object::label), None);
}
