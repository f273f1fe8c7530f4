//! `partywall`: proves that the walls between tenants hold.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The Docker daemon may call a copy of this program, by another name, in place of runc.
    partywall_images::shim::run_if_called_by_name();
    ExitCode::from(partywall::run().code())
}
