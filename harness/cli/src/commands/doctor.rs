//! `partywall doctor`.
use partywall_core::Exit;
use crate::args::Doctor;
use crate::failure::Failure;
pub fn doctor(_a: &Doctor) -> Result<Exit, Failure> { Ok(Exit::Holds) }
