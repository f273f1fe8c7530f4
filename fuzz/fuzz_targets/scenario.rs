//! Scenarios.
#![no_main]

use libfuzzer_sys::fuzz_target;
use partywall_core::scenario::load_scenario;

/// What YAML readers of any version take for the end of a line.
const ENDS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

fuzz_target!(|text: &str| {
    if let Err(error) = load_scenario("reach/x.yaml", text) {
        let lines = text.matches(ENDS).count() as u64 + 2;
        assert!((1..=lines).contains(&error.location.line), "{error}");
    }
});
