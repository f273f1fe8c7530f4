//! What must be true of the machine before anything is made on it.

use std::path::{Path, PathBuf};

use partywall_tool::ToolError;
use serde_json::Value;

use super::error::UpError;
use crate::programs::{docker, run, run_unchecked};
use crate::spec::Bundle;

/// A cluster's images, unpacked, and its data.
const DISK_NEEDED_MIB: u64 = 4096;

/// Something that is worth knowing and no reason to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In one line.
    pub text: String,
}

/// Check Docker, disk and kernel limits, and that the bundle's images are there.
pub async fn doctor(bundle: &Bundle) -> Result<Vec<Finding>, UpError> {
    let info = docker_info().await?;
    let mut findings = Vec::new();
    let mut say = |text: String| findings.push(Finding { text });
    say(format!(
        "Docker {}, cgroup v{}, {} driver",
        info["ServerVersion"].as_str().unwrap_or("?"),
        info["CgroupVersion"].as_str().unwrap_or("1"),
        info["Driver"].as_str().unwrap_or("?"),
    ));
    disk(Path::new(info["DockerRootDir"].as_str().unwrap_or("/"))).await?;
    for (file, wanted) in [("max_user_instances", 128), ("max_user_watches", 8192)] {
        let path = format!("/proc/sys/fs/inotify/{file}");
        let value = std::fs::read_to_string(&path).ok();
        let value = value.and_then(|text| text.trim().parse::<u64>().ok());
        if let Some(value) = value.filter(|value| *value < wanted) {
            say(format!(
                "fs.inotify.{file} is {value}, and kubelets want {wanted} \
                 (hint: sysctl fs.inotify.{file}={wanted})"
            ));
        }
    }
    if let Some(limit) = open_files().filter(|limit| *limit < 4096) {
        say(format!("at most {limit} open files (hint: raise `ulimit -n` to 4096 or more)"));
    }
    for image in [&bundle.node, &bundle.git_server, &bundle.agent] {
        image_id(image).await?;
    }
    Ok(findings)
}

async fn docker_info() -> Result<Value, UpError> {
    let asked = run_unchecked(docker(["info", "--format", "{{json .}}"])).await;
    let output = match asked {
        Ok(output) => output,
        Err(ToolError::NotFound { .. }) => return Err(UpError::DockerAbsent),
        Err(error) => {
            return Err(UpError::DockerSilent { detail: error.to_string() });
        }
    };
    let info: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    // `docker info` ends with 0 also when only the client answered.
    if !output.success() || info["ServerVersion"].as_str().unwrap_or_default().is_empty() {
        let errors = info["ServerErrors"][0].as_str().map(str::to_string);
        let detail = errors.unwrap_or_else(|| output.stderr_text().trim().to_string());
        return Err(UpError::DockerSilent { detail });
    }
    Ok(info)
}

/// The id of a local image.
pub(crate) async fn image_id(image: &str) -> Result<String, UpError> {
    let args = ["image", "inspect", "--format", "{{.Id}}", image];
    let found = run_unchecked(docker(args)).await;
    let found = found.map_err(|source| UpError::Program { action: "look for an image", source })?;
    if !found.success() {
        return Err(UpError::ImageMissing { image: image.to_string() });
    }
    Ok(found.stdout_text().trim().to_string())
}

async fn disk(path: &Path) -> Result<(), UpError> {
    // A remote daemon's folder is not here; then there is nothing to measure.
    if !path.exists() {
        return Ok(());
    }
    let tool = partywall_tool::Tool::new("df").args(["--output=avail", "--block-size=1M"]);
    let output = run(tool.arg(path)).await;
    let Ok(output) = output else { return Ok(()) };
    let text = output.stdout_text();
    let free = text.lines().last().and_then(|line| line.trim().parse::<u64>().ok());
    match free {
        Some(free_mib) if free_mib < DISK_NEEDED_MIB => Err(UpError::DiskFull {
            path: PathBuf::from(path),
            free_mib,
            needed_mib: DISK_NEEDED_MIB,
        }),
        _ => Ok(()),
    }
}

fn open_files() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().rev().nth(1)?.parse().ok()
}
