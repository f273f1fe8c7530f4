//! Building: artefacts in the cache first, then images of them, then the node.

mod cargo;
mod debootstrap;
mod go;
mod image;
mod node;
mod run;
mod step;

pub use run::BuildReport;
