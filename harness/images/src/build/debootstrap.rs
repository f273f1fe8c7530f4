//! Debian root file systems.

use std::path::Path;
use std::time::Duration;

use partywall_tool::{Tool, find_program};

use super::go::with_retries;
use super::step::StepError;
use crate::docker::host;
use crate::error::BuildError;
use crate::lock::DebootstrapRecipe;
use crate::progress::Progress;
use crate::workspace::Workspace;

/// How long the packages of one root file system may take.
const BUILD: Duration = Duration::from_secs(1800);

/// The result's file name.
pub(super) const ARCHIVE: &str = "rootfs.tar";
/// The versions that went in, for whoever asks later.
const PACKAGES: &str = "packages.txt";

/// What nothing in a container reads.
const TRIMMED: &[&str] = &[
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/i18n",
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
    "debootstrap",
];

/// Builds the archive into a folder.
pub(super) fn build(
    workspace: &Workspace,
    component: &str,
    recipe: &DebootstrapRecipe,
    folder: &Path,
    log: &Path,
    progress: &dyn Progress,
) -> Result<(), StepError> {
    if !host::is_root() {
        let text = "debootstrap needs root (hint: run this as root on Debian or Ubuntu)";
        return Err(StepError::Message(text.to_owned()));
    }
    install_debootstrap()?;
    let root = folder.join("rootfs");
    with_retries(component, progress, || fetch(workspace, recipe, &root, log).run())?;
    trim(&root)?;
    let versions = Tool::new("chroot")
        .arg(&root)
        .args(["dpkg-query", "--show", "--showformat", "${Package} ${Version}\n"])
        .run()?;
    let list = folder.join(PACKAGES);
    std::fs::write(&list, versions.stdout).map_err(BuildError::files("write", list))?;
    Tool::new("tar")
        .args(["--sort=name", "--numeric-owner", "--one-file-system", "--create", "--file"])
        .arg(folder.join(ARCHIVE))
        .arg("--directory")
        .arg(&root)
        .arg(".")
        .log_to(log)
        .timeout(Duration::from_secs(300))
        .run()?;
    std::fs::remove_dir_all(&root).map_err(BuildError::files("remove", root))?;
    Ok(())
}

fn install_debootstrap() -> Result<(), StepError> {
    if find_program("debootstrap").is_some() {
        return Ok(());
    }
    if !host::has_apt() {
        return Err(StepError::Message("debootstrap is not installed".to_owned()));
    }
    // The keyring is a package of its own on Ubuntu.
    Ok(crate::docker::install_packages(&["debootstrap", "debian-archive-keyring"])?)
}

fn fetch(workspace: &Workspace, recipe: &DebootstrapRecipe, root: &Path, log: &Path) -> Tool {
    // Packages stay in the cache, so that a further attempt and the next root file system need not
    // fetch them again.
    let packages = workspace.cache.join("debian");
    // A failure here shows as debootstrap's own complaint about the folder.
    let _ = std::fs::create_dir_all(&packages);
    let _ = std::fs::remove_dir_all(root);
    let mut cache = std::ffi::OsString::from("--cache-dir=");
    cache.push(&packages);
    Tool::new("debootstrap")
        .args(["--variant=minbase".to_owned(), format!("--include={}", recipe.packages.join(","))])
        .arg(cache)
        .arg(&recipe.suite)
        .arg(root)
        .args(workspace.debian_mirror.clone())
        .log_to(log)
        .timeout(BUILD)
}

/// Takes out documents and what debootstrap copied from this machine, and settles on the iptables
/// variant that kube-proxy and Calico must share.
fn trim(root: &Path) -> Result<(), StepError> {
    for name in TRIMMED {
        let path = root.join(name);
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(BuildError::files("remove", &path))?;
        }
    }
    for folder in ["var/log", "var/cache/apt/archives/partial", "var/lib/apt/lists/partial"] {
        let path = root.join(folder);
        std::fs::create_dir_all(&path).map_err(BuildError::files("create", &path))?;
    }
    for name in ["etc/hostname", "etc/resolv.conf", "etc/machine-id"] {
        let path = root.join(name);
        std::fs::write(&path, "").map_err(BuildError::files("write", &path))?;
    }
    for name in ["iptables", "ip6tables"] {
        let legacy = format!("/usr/sbin/{name}-legacy");
        if root.join(&legacy[1..]).exists() {
            let set = ["update-alternatives", "--set", name, &legacy];
            Tool::new("chroot").arg(root).args(set).run()?;
        }
    }
    Ok(())
}
