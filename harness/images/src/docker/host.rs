//! What this process may do on this host, as the kernel tells it.

use std::path::Path;

/// Names in the order of their numbers, without the `CAP_` in front.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// A set of capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capabilities(u64);

impl Capabilities {
    #[cfg(test)]
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Whether it holds the capability of this full name (`CAP_KILL`).
    pub(crate) fn has(self, name: &str) -> bool {
        let number = NAMES.iter().position(|known| name.strip_prefix("CAP_") == Some(known));
        number.is_some_and(|number| self.0 >> number & 1 == 1)
    }
}

/// The bounding set of this process, which bounds what a container can get.
pub(crate) fn host_capabilities() -> Option<Capabilities> {
    parse_bounding(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    parse_effective_user(&status) == Some(0)
}

/// Whether systemd runs this host.
pub(crate) fn has_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Whether packages are installed by apt here: Debian, Ubuntu and what derives from them.
pub(crate) fn has_apt() -> bool {
    partywall_tool::find_program("apt-get").is_some() && Path::new("/etc/debian_version").is_file()
}

fn parse_bounding(status: &str) -> Option<Capabilities> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapBnd:"))?;
    u64::from_str_radix(line.trim(), 16).ok().map(Capabilities)
}

fn parse_effective_user(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tsh\nUid:\t1000\t0\t0\t0\nCapBnd:\t000001fffeffffff\n";

    #[test]
    fn sees_that_one_capability_is_missing() {
        let bounding = parse_bounding(STATUS).unwrap();
        assert!(!bounding.has("CAP_SYS_RESOURCE"));
        assert!(bounding.has("CAP_CHOWN") && bounding.has("CAP_CHECKPOINT_RESTORE"));
        assert!(!bounding.has("CHOWN") && !bounding.has("CAP_NO_SUCH"));
    }

    #[test]
    fn reads_the_effective_user_and_not_the_real_one() {
        assert_eq!(parse_effective_user(STATUS), Some(0));
        assert_eq!(parse_effective_user("Name: x"), None);
    }
}
