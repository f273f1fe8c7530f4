//! The machine, for numbers that are only worth something with it.

use std::fs;

/// Processor, cores and memory.
pub fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kib: u64 = memory.trim_end_matches(" kB").parse().unwrap_or(0);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_string());
    format!("{cores} cores ({model}), {} GiB", (kib + (1 << 19)) >> 20)
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_string())
}
