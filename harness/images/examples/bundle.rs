//! Exercises the crate without the `partywall` program:
//! `cargo run -p partywall-images --example bundle -- docker|build|list|verify|push|pin [...]`.
//! `PARTYWALL_EXAMPLE_MIRROR=HOST:PORT` chooses registry mode; "" is the published hosts.

use partywall_images::{BuildRequest, Bundle, Mode, Progress, ProgressEvent, Workspace, docker};

struct Console;

#[expect(clippy::print_stdout, reason = "an example is a program")]
impl Progress for Console {
    fn event(&self, event: &ProgressEvent<'_>) {
        println!("{event:?}");
    }
}

#[expect(clippy::print_stdout, reason = "an example is a program")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    partywall_images::shim::run_if_called_by_name();
    let mut args = std::env::args().skip(1);
    let verb = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let mode = match std::env::var("PARTYWALL_EXAMPLE_MIRROR") {
        Ok(mirror) => Mode::Registry { mirror: Some(mirror).filter(|text| !text.is_empty()) },
        Err(_) => Mode::Bundle,
    };
    let workspace = Workspace::new(std::env::current_dir()?);
    if verb == "docker" {
        let options = docker::EnsureOptions::new(&workspace.cache)?;
        println!("{:#?}", docker::ensure(&options)?);
        return Ok(());
    }
    let mut bundle = Bundle::open(workspace)?;
    match verb.as_str() {
        "build" => {
            let report = bundle.build(&BuildRequest { mode, only: rest }, &Console)?;
            println!("{report:?}");
        }
        "list" => bundle.list(&mode)?.iter().for_each(|row| println!("{row:?}")),
        "verify" => bundle.verify(&mode)?.iter().for_each(|row| println!("{row:?}")),
        "references" => println!("{:#?}", bundle.references(&mode)),
        "program" => println!("{}", bundle.program(&rest[0])?.display()),
        "push" => println!("{:#?}", bundle.push_to_mirror(&rest[0])?),
        "pin" => println!("{:#?}", bundle.pin(rest.first().map(String::as_str))?),
        other => println!("unknown verb `{other}`"),
    }
    Ok(())
}
