//! Which variables of our own environment a program may see.

use std::ffi::OsString;

/// Variables that are passed on when they are set; everything else is dropped.
///
/// They say where caches are, how to reach a package registry or the Docker daemon, and nothing
/// else. `KUBECONFIG` is absent on purpose: no program may find the user's own cluster by accident.
pub const PASSED_VARIABLES: &[&str] = &[
    "PATH",
    "HOME",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    // Proxies and the certificates that go with them.
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    // Go: registries, checksums, caches.
    "GOPROXY",
    "GOSUMDB",
    "GONOSUMDB",
    "GONOPROXY",
    "GOPRIVATE",
    "GOTOOLCHAIN",
    "GOROOT",
    "GOPATH",
    "GOCACHE",
    "GOMODCACHE",
    "GOTMPDIR",
    // Rust: registries, caches, toolchain.
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "CARGO_HTTP_CAINFO",
    "CARGO_HTTP_PROXY",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    // Which Docker daemon to talk to.
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
];

/// The environment a program starts with, before the caller's own additions.
///
/// Messages are asked for in the C locale, so that they read the same on every machine.
pub(crate) fn scrubbed() -> Vec<(OsString, OsString)> {
    let passed = PASSED_VARIABLES
        .iter()
        .filter_map(|name| std::env::var_os(name).map(|value| (OsString::from(name), value)));
    passed.chain([(OsString::from("LC_ALL"), OsString::from("C.UTF-8"))]).collect()
}
