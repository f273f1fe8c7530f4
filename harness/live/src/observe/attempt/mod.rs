//! Attempts: hostile objects, really made with every identity that a tenant's folder gives its
//! author, asked about while they stand, and taken away again.

mod answer;
mod ask;
mod broom;
mod identities;
mod round;
mod stand;

pub(super) use broom::sweep;
pub(super) use round::Attacker;
