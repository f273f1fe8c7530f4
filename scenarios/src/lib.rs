//! The built-in scenarios: every `<topic>/<claim>.yaml` of this folder. `README.md` beside
//! them documents the format.

/// Path below `scenarios/` and text of every built-in scenario, in the order of paths.
pub const BUILT_IN: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/built_in.rs"));
