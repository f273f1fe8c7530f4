//! `partywall`: proves that the walls between tenants hold.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(partywall::run().code())
}
