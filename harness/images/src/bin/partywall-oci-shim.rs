//! The OCI runtime wrapper as a program of its own; see `partywall_images::shim`.

fn main() {
    std::process::exit(partywall_images::shim::run(std::env::args_os().skip(1).collect()));
}
