//! Sealed files.
#![no_main]

use std::sync::LazyLock;

use age::secrecy::ExposeSecret;
use libfuzzer_sys::fuzz_target;
use partywall_offline::sops;

/// A key that no seed is sealed for.
static STRANGER: LazyLock<sops::Identities> = LazyLock::new(|| {
    let key = age::x25519::Identity::generate().to_string();
    sops::Identities::parse(key.expose_secret()).expect("a new key is a key")
});

fuzz_target!(|text: &str| {
    let _ = (
        sops::is_sealed(text),
        sops::recipients("x.yaml", text),
        sops::readable_leaves("x.yaml", text),
    );
    assert!(sops::open("x.yaml", text, &STRANGER).is_err());
    assert!(sops::flux_opens("x.yaml", text, &STRANGER).is_err());
});
