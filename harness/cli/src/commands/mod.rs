//! The verbs, one file each.

mod bench;
mod diagnose;
mod doctor;
mod down;
mod e2e;
mod images;
mod mutants;
mod push;
mod report;
mod run;
mod test;
mod up;

pub use run::run;
pub(crate) use test::judge_session;
