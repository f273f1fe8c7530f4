//! `partywall-agent`: see the library for what it is.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand, ValueEnum};
use partywall_agent::ask::Agent;
use partywall_agent::protocol::{Ask, Outcome, ReachRequest, Reply, Speak, Transport};
use partywall_agent::server::{Config, Server};
use partywall_agent::{ask, control, exchange, limits, pod};
use tokio::io::BufReader;
use tokio::signal::unix::{SignalKind, signal};

/// Not an outcome: the command itself could not run.
const EXIT_FAILED: u8 = 3;

#[derive(Parser)]
#[command(version, about = "The in-pod probe of Partywall")]
struct Arguments {
    /// The abstract Unix socket between `ask` and `serve`; pods on the host network need one
    /// each.
    #[arg(long, global = true, env = "PARTYWALL_CONTROL", default_value = control::DEFAULT_NAME)]
    control: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Answer on TCP and UDP ports and keep receipts
    Serve(ServeArguments),
    /// Answer questions: JSON lines on standard input and output
    Ask,
    /// Reach for one target, for a person
    Probe(ProbeArguments),
}

#[derive(Args)]
struct ServeArguments {
    /// Ports that are declared, each on TCP and UDP
    #[arg(long, env = "PARTYWALL_LISTEN", value_delimiter = ',')]
    listen: Vec<u16>,
    /// Ports that nothing declares and nobody may reach, each on TCP and UDP
    #[arg(long, env = "PARTYWALL_DECOY", value_delimiter = ',')]
    decoy: Vec<u16>,
}

#[derive(Args)]
struct ProbeArguments {
    /// An address or a name
    #[arg(long)]
    target: String,
    /// The port
    #[arg(long)]
    port: u16,
    /// The transport protocol
    #[arg(long, value_enum, default_value = "tcp")]
    transport: TransportChoice,
    /// What to say
    #[arg(long, value_enum, default_value = "nonce")]
    speak: SpeakChoice,
    /// How long to wait, in milliseconds
    #[arg(long, default_value_t = 2000)]
    timeout_ms: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum TransportChoice {
    Tcp,
    Udp,
}

#[derive(Clone, Copy, ValueEnum)]
enum SpeakChoice {
    Nonce,
    Connect,
    Dns,
    Https,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    run(arguments).unwrap_or_else(|error| {
        // Where standard error is gone, the exit code must do.
        drop(writeln!(std::io::stderr(), "partywall-agent: {error}"));
        ExitCode::from(EXIT_FAILED)
    })
}

fn run(arguments: Arguments) -> Result<ExitCode, Box<dyn std::error::Error>> {
    // One thread: the fence of receipts is then an instant between two tasks.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        match arguments.verb {
            Verb::Serve(ports) => serve(ports, arguments.control).await,
            Verb::Ask => answer_questions(arguments.control).await,
            Verb::Probe(probe) => probe_once(probe, arguments.control).await,
        }
    });
    // A read of standard input may be under way and cannot be called off.
    runtime.shutdown_background();
    ended
}

async fn serve(
    ports: ServeArguments,
    control: String,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    limits::probes_in_flight();
    let config = Config {
        listen: ports.listen,
        decoy: ports.decoy,
        control,
        pod: pod::own_identity(),
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
    };
    // As process 1 of a container it gets no default handling of signals.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = Server::start(&config)?;
    tokio::select! {
        () = server.run() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn answer_questions(control: String) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let agent = Agent::new(control, pod::own_identity(), limits::probes_in_flight());
    let input = BufReader::new(tokio::io::stdin());
    ask::run(Arc::new(agent), input, tokio::io::stdout()).await?;
    Ok(ExitCode::SUCCESS)
}

async fn probe_once(
    probe: ProbeArguments,
    control: String,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let request = ReachRequest {
        target: probe.target,
        port: probe.port,
        transport: match probe.transport {
            TransportChoice::Tcp => Transport::Tcp,
            TransportChoice::Udp => Transport::Udp,
        },
        speak: match probe.speak {
            SpeakChoice::Nonce => Speak::Nonce,
            SpeakChoice::Connect => Speak::Connect,
            SpeakChoice::Dns => Speak::Dns,
            SpeakChoice::Https => Speak::Https,
        },
        nonce: format!("{:032x}", exchange::now_us()),
        timeout_ms: probe.timeout_ms,
    };
    let agent = Agent::new(control, pod::own_identity(), 1);
    let reply = agent.answer(Ask::Reach(request)).await;
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&reply)?)?;
    Ok(match reply {
        Reply::Reach(reach) => ExitCode::from(exit_code(reach.outcome)),
        _ => ExitCode::from(EXIT_FAILED),
    })
}

/// A person's shell wants to know whether the target was reached.
fn exit_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Reached => 0,
        Outcome::Refused | Outcome::Dropped | Outcome::Unresolved => 1,
        Outcome::ProbeError => EXIT_FAILED,
    }
}
