//! The verbs, one file each.

mod agree;
mod bench;
mod bench_files;
mod bench_scale;
mod check;
mod diagnose;
mod diff;
mod doctor;
mod down;
mod e2e;
mod e2e_depth;
mod e2e_red;
mod enforcement;
mod explain;
mod images;
mod init;
mod mutants;
mod mutate;
mod mutate_live;
mod push;
mod report;
mod rotate;
mod run;
mod test;
mod up;
mod watch;

pub use enforcement::enforcement_lost;
pub(crate) use images::build as build_images;
pub(crate) use run::block_on;
pub use run::run;
pub(crate) use test::{judge, judge_session, load_session};
