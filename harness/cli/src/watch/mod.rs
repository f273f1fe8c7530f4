//! Experiments under the exposure meter: what `partywall watch` does.
//!
//! ```text
//! plan (which experiment) ─► stage (session, layout, meter, moments) ─► acts (commits, hands, waits)
//!                                       └─► record ─► exposure ─► judge ─► Experiment, Measured
//! ```
//!
//! Every experiment changes a scratch copy of the layout and is followed by a restoration,
//! whatever became of it.

mod acts;
mod born;
mod known;
mod measure;
mod plan;
mod restore;
mod run;
mod secrets;
mod stage;

pub use known::surprises;
pub use plan::Trial;
pub use restore::restore;
pub use run::{Act, Outcome, Request, run};
pub use stage::Scene;
