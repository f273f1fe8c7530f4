//! Tests of the reports, in one binary because linking is what takes time.

mod account;
mod anything;
mod event_files;
mod large;
mod reports;
mod sample;
