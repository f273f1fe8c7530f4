//! Programs from Go modules.

use std::path::Path;
use std::time::Duration;

use partywall_tool::Tool;

use super::step::StepError;
use crate::lock::GoRecipe;
use crate::progress::{Progress, ProgressEvent};
use crate::workspace::Workspace;

/// How long one program may take, modules fetched from nothing on two slow cores.
const BUILD: Duration = Duration::from_secs(2700);
/// How often a build is tried when the network fails in passing.
const ATTEMPTS_MAX: u32 = 4;

/// Builds every program of a recipe into a folder.
pub(super) fn build(
    workspace: &Workspace,
    component: &str,
    recipe: &GoRecipe,
    folder: &Path,
    log: &Path,
    progress: &dyn Progress,
) -> Result<(), StepError> {
    for (program, package) in &recipe.programs {
        let tool = Tool::new("go")
            .args(["build", "-trimpath", "-ldflags", &linker_flags(recipe), "-o"])
            .arg(folder.join(program))
            .arg(package)
            .dir(workspace.module(&recipe.module))
            .env("CGO_ENABLED", "0")
            // The pinned sums are the whole truth: a build may not add to them.
            .env("GOFLAGS", "-mod=readonly -buildvcs=false")
            .env("GOWORK", "off")
            .log_to(log)
            .timeout(BUILD);
        with_retries(component, progress, || tool.run())?;
    }
    Ok(())
}

fn linker_flags(recipe: &GoRecipe) -> String {
    let variables = recipe.variables.iter().map(|(name, value)| format!(" -X {name}={value}"));
    format!("-s -w{}", variables.collect::<String>())
}

/// Tries again where the network failed in passing. Compiled packages and fetched modules stay in
/// Go's own cache, so a further attempt goes on where the last one stopped.
#[expect(clippy::disallowed_methods, reason = "bounded back-off in a crate without async runtime")]
pub(super) fn with_retries<T, E: std::fmt::Display>(
    component: &str,
    progress: &dyn Progress,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let mut attempts = 1;
    loop {
        match attempt() {
            Err(error) if attempts < ATTEMPTS_MAX && is_transient(&error.to_string()) => {
                let reason = partywall_tool::last_lines(&error.to_string(), 1);
                progress.event(&ProgressEvent::Retried {
                    component,
                    attempt: attempts,
                    reason: &reason,
                });
                std::thread::sleep(Duration::from_secs(2u64.pow(attempts)));
                attempts += 1;
            }
            result => return result,
        }
    }
}

/// Whether a message tells of a network that failed in passing. A refusal (403) or an absence (404)
/// stays one, however often it is asked.
fn is_transient(message: &str) -> bool {
    let final_answers = ["403 Forbidden", "404 Not Found", "410 Gone", "unknown revision"];
    let passing = [
        "i/o timeout",
        "TLS handshake timeout",
        "Client.Timeout",
        "connection reset",
        "connection refused",
        "connection timed out",
        "temporary failure in name resolution",
        "Temporary failure",
        "unexpected EOF",
        "stream error",
        "429 Too Many Requests",
        "500 Internal Server Error",
        "502 Bad Gateway",
        "503 Service Unavailable",
        "504 Gateway",
    ];
    let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    says(&passing) && !says(&final_answers)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::progress::Silent;

    #[rstest]
    #[case("go: a@v1: Get \"https://x\": dial tcp: i/o timeout", true)]
    #[case("reading https://x: 502 Bad Gateway", true)]
    #[case("reading https://x: 403 Forbidden", false)]
    #[case("reading https://x: 404 Not Found\nserver response: i/o timeout", false)]
    #[case("main.go:3: undefined: x", false)]
    #[case("missing go.sum entry", false)]
    fn tells_a_passing_failure_from_a_final_one(#[case] message: &str, #[case] expected: bool) {
        assert_eq!(is_transient(message), expected);
    }

    #[test]
    fn a_final_answer_is_not_asked_again() {
        let mut attempts = 0;
        let result = with_retries("a", &Silent, || {
            attempts += 1;
            Tool::new("sh").args(["-c", "echo 403 Forbidden >&2; exit 1"]).run()
        });
        assert!(result.is_err());
        assert_eq!(attempts, 1);
    }

    #[test]
    fn variables_are_set_at_link_time() {
        let recipe = GoRecipe {
            module: "m".to_owned(),
            programs: [].into(),
            variables: [("a/b.C".to_owned(), "v1".to_owned())].into(),
        };
        assert_eq!(linker_flags(&recipe), "-s -w -X a/b.C=v1");
    }
}
