//! From files to events: load, plan, execute. Nothing here prints, and nothing here knows
//! which backend answers.
//!
//! ```text
//! load ─► trials ─► deploy (with defects mended in scratch commits) ─► execute ─► events
//! ```

mod blame;
mod deploy;
mod evidence;
mod execute;
mod files;
mod flows;
mod judge;
mod load;
mod measured;
mod mutate;

pub use deploy::{Deploy, Deployed, deploy_with_scratch_mends};
pub use execute::{Run, RunOutcome, execute};
pub use files::{
    Files, Judgeable, Place, Rendering, draft_text, judge_files, load_files, load_keys,
};
pub use load::{CONTRACT_FILE, Project, ProjectError, load_project, load_scenarios};
pub use mutate::{Bench, Unmutated, with_mutants};
