//! Tests of the reports, in one binary because linking is what takes time.

mod account;
mod answers;
mod anything;
mod change;
mod event_files;
mod formats;
mod large;
mod offline;
mod page;
mod picture;
mod reports;
mod sample;
