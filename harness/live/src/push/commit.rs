//! The scratch repositories and their pushes.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine;
use partywall_tool::{Tool, ToolError};

use super::error::PushError;
use crate::programs::{run, run_unchecked};

/// Where and as whom to push.
pub(crate) struct Target<'a> {
    pub(crate) repository: &'a str,
    pub(crate) references: &'a BTreeSet<String>,
    pub(crate) url: &'a str,
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
}

/// git without the user's own configuration, hooks or credentials.
pub(crate) fn git(folder: &Path) -> Tool {
    Tool::new("git")
        .dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_AUTHOR_NAME", "partywall")
        .env("GIT_AUTHOR_EMAIL", "partywall@localhost")
        .env("GIT_COMMITTER_NAME", "partywall")
        .env("GIT_COMMITTER_EMAIL", "partywall@localhost")
        .args(["-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false", "-c", "gc.auto=0"])
}

/// Whether a tree that did not change gets a commit all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unchanged {
    /// Yes: the wait for a layout goes by its commit.
    Commit,
    /// No: a new commit of a chart would upgrade every release of it.
    Keep,
}

/// Commit everything in the folder on its branch and give back the commit.
pub(crate) async fn commit(
    folder: &Path,
    target: &Target<'_>,
    unchanged: Unchanged,
) -> Result<String, PushError> {
    let failed =
        |source: ToolError| PushError::Commit { repository: target.repository.to_string(), source };
    if !folder.join(".git").is_dir() {
        let init = git(folder).args(["init", "--quiet", "--initial-branch", "main"]);
        run(init).await.map_err(failed)?;
    }
    // Also files that an ignore rule of the layout would leave out: the tree is what it is.
    run(git(folder).args(["add", "--all", "--force", "."])).await.map_err(failed)?;
    let head = run_unchecked(git(folder).args(["rev-parse", "--verify", "--quiet", "HEAD"])).await;
    let head = head.map_err(failed)?;
    if head.success() && unchanged == Unchanged::Keep {
        let same = run_unchecked(git(folder).args(["diff", "--cached", "--quiet"])).await;
        if same.map_err(failed)?.success() {
            return Ok(head.stdout_text().trim().to_string());
        }
    }
    let message = "The working tree, with the session's keys and addresses";
    let commit = ["commit", "--quiet", "--allow-empty", "--no-gpg-sign", "-m", message];
    run(git(folder).args(commit)).await.map_err(failed)?;
    let head = run(git(folder).args(["rev-parse", "HEAD"])).await.map_err(failed)?;
    Ok(head.stdout_text().trim().to_string())
}

/// Push the current commit.
pub(crate) async fn push(folder: &Path, target: &Target<'_>) -> Result<(), PushError> {
    update(folder, target, "HEAD").await
}

/// Remove the references at the server.
pub(crate) async fn remove(folder: &Path, target: &Target<'_>) -> Result<(), PushError> {
    update(folder, target, "").await
}

async fn update(folder: &Path, target: &Target<'_>, source: &str) -> Result<(), PushError> {
    let pair = format!("{}:{}", target.user, target.password);
    let token = base64::engine::general_purpose::STANDARD.encode(pair);
    let references = target.references.iter().map(|name| format!("{source}:{name}"));
    let tool = git(folder)
        .args(["push", "--quiet", "--force", target.url])
        .args(references)
        // By environment: arguments can be read by every user of the machine.
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "http.extraHeader")
        .secret_env("GIT_CONFIG_VALUE_0", format!("Authorization: Basic {token}"))
        .redact(token)
        .redact(target.password);
    let pushed = run(tool.timeout(std::time::Duration::from_secs(30))).await;
    pushed
        .map(|_output| ())
        .map_err(|source| PushError::Refused { repository: target.repository.to_string(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refused_push_names_the_repository_and_keeps_the_password() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.yaml"), "a: 1\n").unwrap();
        let references = ["refs/heads/main".to_string()].into();
        let target = Target {
            repository: "deployments",
            references: &references,
            // Nothing listens on the discard port.
            url: "http://127.0.0.1:9/deployments.git",
            user: "partywall",
            password: "s3cret",
        };
        let hash = commit(folder.path(), &target, Unchanged::Commit).await.unwrap();
        assert_eq!(hash.len(), 40);
        let kept = commit(folder.path(), &target, Unchanged::Keep).await.unwrap();
        assert_eq!(kept, hash);
        let new = commit(folder.path(), &target, Unchanged::Commit).await.unwrap();
        assert_ne!(new, hash);
        let error = push(folder.path(), &target).await.unwrap_err().to_string();
        assert!(error.starts_with("the Git server refused the push of deployments"), "{error}");
        assert!(!error.contains("s3cret") && !error.contains("Basic"), "{error}");
    }
}
