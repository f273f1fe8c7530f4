//! Rendering a layout the way Flux would, through the `kustomize` and `helm` programs.
//!
//! ```text
//! entry ─► walk ─► prepare ─► build (closure, generate, kustomize, origin) ─► substitute ─► apply ─┐
//!           ▲         └─► values ─► chart (helm, post_render) ────────────────────────────────────┤
//!           └──────────────── further Kustomizations and HelmReleases ◄── world ◄─────────────────┘
//! ```
//!
//! Nothing is decrypted, nothing is fetched, and a program sees the files that its build reads
//! and no others. What fails as it would in a cluster is a Flux object that is not ready; what
//! cannot be told from files is named as not judged.

mod apply;
mod asks;
mod build;
mod chart;
mod closure;
mod entry;
mod envsubst;
mod generate;
mod hook;
mod object;
mod options;
mod origin;
mod pool;
mod post_render;
mod prepare;
mod program;
mod scope;
mod substitute;
mod tree;
mod unit;
mod values;
mod walk;
mod world;

pub(crate) use entry::SYNC_FILE;
pub use object::{Object, Rendered, parse_stream};
pub use options::{Options, Programs, RenderError, Repository};
pub use walk::render;
