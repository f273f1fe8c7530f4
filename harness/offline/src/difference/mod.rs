//! What a change to a layout opens and closes: the same facts of two revisions, compared.
//!
//! ```text
//! End, End ─► inhabitants ─► pairs, outside ─► flows ─► because ┐
//!        └──► secrets, orgs, defects ───────────────────────────┴► Difference
//! ```
//!
//! Flows are what policies let through to ports that are known to answer, compared as sets of
//! workloads and never pair by pair. Replicas and twins are one workload. Of what the harness adds
//! only the pods that no policy selects are compared: they show a hole in one wall that another hides.

mod because;
mod compare;
mod defects;
mod end;
mod flows;
mod inhabitants;
mod model;
mod orgs;
mod outside;
mod pairs;
mod secrets;
mod stance;

pub use compare::difference;
pub use end::End;
pub use model::{Difference, FlowChange, OrgChange, SecretChange};
pub(crate) use outside::ports as rule_ports;
