//! Static programs of this workspace.

use std::path::Path;
use std::time::Duration;

use partywall_tool::Tool;

use super::step::StepError;
use crate::bundle::Bundle;
use crate::error::BuildError;
use crate::lock::CargoRecipe;

/// How long a release build may take, crates fetched from nothing on two slow cores.
const BUILD: Duration = Duration::from_secs(1800);

/// Builds the program into a folder.
pub(super) fn build(
    bundle: &Bundle,
    recipe: &CargoRecipe,
    folder: &Path,
    log: &Path,
) -> Result<(), StepError> {
    let workspace = bundle.workspace();
    // A folder of its own: the flags differ from those of a developer's builds, which would
    // otherwise be thrown away each time, and its lock is never held by a running `cargo test`.
    let target = workspace.cache.join("cargo-target");
    // Naming the target keeps the static flag away from build scripts and macros.
    let host = bundle.rust_host()?;
    Tool::new("cargo")
        .args(["build", "--locked", "--profile", &recipe.profile, "--package", &recipe.package])
        .args(["--bin", &recipe.program, "--target", &host])
        .dir(&workspace.root)
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .log_to(log)
        .timeout(BUILD)
        .run()?;
    let built = target.join(host).join(&recipe.profile).join(&recipe.program);
    std::fs::copy(&built, folder.join(&recipe.program))
        .map_err(BuildError::files("copy", built))?;
    Ok(())
}
