//! The verbs, one file each.

mod agree;
mod bench;
mod bench_files;
mod check;
mod diagnose;
mod diff;
mod doctor;
mod down;
mod e2e;
mod explain;
mod images;
mod init;
mod mutants;
mod push;
mod report;
mod run;
mod test;
mod up;

pub(crate) use images::build as build_images;
pub use run::run;
pub(crate) use test::judge_session;
