//! What the files of a layout tell without a cluster.
//!
//! ```text
//! folder ─► load ─► Layout ─► scan, sops, blame
//!                      └────► defect (what Flux says, put on a line) ─► mend (a scratch copy without it)
//! mutant (a patch that breaks one promise) ─► folder
//! ```
//!
//! Values of secrets are read here and never leave: types that hold them print as `***`, and
//! everything that is handed out is a place, a name or a hash.

pub mod blame;
pub mod change;
pub mod cluster;
pub mod defect;
pub mod difference;
pub mod draft;
mod landing;
pub mod load;
pub mod mend;
pub mod mutant;
pub mod mutate;
pub mod netpol;
pub mod render;
pub mod revision;
pub mod rights;
pub mod rotate;
pub mod scale;
pub mod scan;
pub mod secret;
pub mod sops;
pub mod surplus;
pub mod telemetry;
pub mod wiring;
