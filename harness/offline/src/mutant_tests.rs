use super::*;

const MUTANT: &str = "\
apiVersion: partywall.dev/v1alpha1
kind: Mutant
promise: telemetry lands in its own organisation
layout: ../../layout
patch: org.patch
expect:
  exit: 1
  question: deliver
  trial: telemetry::log_own_org
  cells: [customer-a]
  reason: arrived in
";

const PATCH: &str = "\
--- a/customers/a/values.yaml
+++ b/customers/a/values.yaml
@@ -1,2 +1,2 @@
-tenantId: a
+tenantId: b
 other: 1
";

fn tree(patch: &str, values: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("mutants/01-org/mutant.yaml", MUTANT);
    write("mutants/01-org/org.patch", patch);
    write("layout/customers/a/values.yaml", values);
    write("layout/.git/HEAD", "not copied");
    dir
}

fn try_it(patch: &str, values: &str) -> Result<Vec<String>, MutantError> {
    let dir = tree(patch, values);
    let all = Mutant::load_all(&dir.path().join("mutants"))?;
    assert_eq!(all.len(), 1);
    let applied = apply(&all[0], &all[0].layout_dir(), &dir.path().join("scratch"))?;
    assert!(!dir.path().join("scratch/.git").exists());
    let seen = fs::read_to_string(dir.path().join("scratch/customers/a/values.yaml")).unwrap();
    assert_eq!(seen, "tenantId: b\nother: 1\n");
    Ok(applied)
}

#[test]
fn a_patch_changes_a_copy() {
    assert_eq!(try_it(PATCH, "tenantId: a\nother: 1\n").unwrap(), ["customers/a/values.yaml"]);
}

#[test]
fn a_patch_that_does_not_fit_is_an_error() {
    let error = try_it(PATCH, "tenantId: c\nother: 1\n").unwrap_err();
    insta::assert_snapshot!(error, @r"
    mutant 01-org: its patch does not apply to ../../layout
    hint: the layout has changed; make the patch anew
    ");
}

#[test]
fn a_patch_that_changes_nothing_is_an_error() {
    let nothing = "--- a/customers/a/values.yaml\n+++ b/customers/a/values.yaml\n@@ -1,2 +1,2 @@\n-tenantId: a\n+tenantId: a\n other: 1\n";
    let error = try_it(nothing, "tenantId: a\nother: 1\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "mutant 01-org: its patch changes nothing, so it can break no promise"
    );
}

/// In a repository `git apply` would pass over every path of the patch without a word.
#[test]
fn a_scratch_folder_inside_a_repository_works_too() {
    let dir = tree(PATCH, "tenantId: a\nother: 1\n");
    Tool::new("git").args(["init", "--quiet"]).dir(dir.path()).run().unwrap();
    let mutant = Mutant::load(&dir.path().join("mutants/01-org")).unwrap();
    let scratch = dir.path().join("deep/scratch");
    assert_eq!(apply(&mutant, &mutant.layout_dir(), &scratch).unwrap().len(), 1);
}

#[test]
fn an_unknown_key_is_an_error_with_its_line() {
    let dir = tree(PATCH, "");
    let path = dir.path().join("mutants/01-org/mutant.yaml");
    fs::write(&path, MUTANT.replace("question:", "qestion:")).unwrap();
    let error = Mutant::load(&dir.path().join("mutants/01-org")).unwrap_err();
    assert!(error.to_string().contains("mutant.yaml:8: "), "{error}");
}

#[test]
fn a_folder_without_a_mutant_is_an_error() {
    let error = Mutant::load(Path::new("/nowhere")).unwrap_err();
    assert_eq!(error.to_string(), "/nowhere/mutant.yaml: failed to read");
}
