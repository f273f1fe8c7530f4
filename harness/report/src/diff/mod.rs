//! What a change to a layout opens and closes.
//!
//! The data is plain, so that `--format json` is the data itself. Text and Markdown say first
//! what the contract does not foresee; what is the same for many tenants is one line.

mod group;
mod model;
mod names;
mod render;
mod sections;

pub use model::{Change, Flow, OrgChange, SecretChange};
pub use render::{json, markdown, text};
