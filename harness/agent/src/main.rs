//! `partywall-agent`: see the library for what it is.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand, ValueEnum};
use partywall_agent::ask::Agent;
use partywall_agent::pace::{self, PaceError, Paces, Samples};
use partywall_agent::protocol::{Ask, Outcome, PaceRequest, ReachRequest, Reply, Speak, Transport};
use partywall_agent::resolve::Resolver;
use partywall_agent::server::{Config, Server};
use partywall_agent::{ask, control, exchange, limits, pod};
use tokio::io::BufReader;
use tokio::signal::unix::{SignalKind, signal};

/// Not an outcome: the command itself could not run.
const EXIT_FAILED: u8 = 3;
/// How long a server probes that was told to do so from its first instruction on.
const OWN_PACE_MS: u64 = 120_000;
const OWN_PACE_TIMEOUT_MS: u64 = 1000;

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
    /// Ports that are declared, each on TCP, UDP and, where the kernel has it, SCTP
    #[arg(long, env = "PARTYWALL_LISTEN", value_delimiter = ',')]
    listen: Vec<u16>,
    /// Ports that nothing declares and nobody may reach, each on TCP, UDP and SCTP
    #[arg(long, env = "PARTYWALL_DECOY", value_delimiter = ',')]
    decoy: Vec<u16>,
    /// Targets to probe from the first instruction on: ADDRESS:PORT/tcp=PREFIX
    #[arg(long, env = "PARTYWALL_PACE", value_delimiter = ',')]
    pace: Vec<String>,
    /// Probes a second and target of that pace, for two minutes
    #[arg(long, env = "PARTYWALL_PACE_PER_SECOND", default_value_t = 50)]
    pace_per_second: u32,
    /// Addresses to listen on; all unless given
    #[arg(long, env = "PARTYWALL_ADDRESS", value_delimiter = ',')]
    address: Vec<std::net::IpAddr>,
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
    Sctp,
}

#[derive(Clone, Copy, ValueEnum)]
enum SpeakChoice {
    Nonce,
    Connect,
    Dns,
    Lookup,
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
    let own_pace = begin_own_pace(&ports)?;
    let config = Config {
        listen: ports.listen,
        decoy: ports.decoy,
        addresses: ports.address,
        control,
        pod: pod::own_identity(),
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
    };
    // As process 1 of a container it gets no default handling of signals.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = Server::start_with(&config, own_pace)?;
    tokio::select! {
        () = server.run() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Begins the pace that the arguments ask for. Its samples are kept for who asks the server.
fn begin_own_pace(ports: &ServeArguments) -> Result<Arc<Samples>, PaceError> {
    let samples = Arc::new(Samples::default());
    if ports.pace.is_empty() {
        return Ok(samples);
    }
    let targets = ports.pace.iter().map(|target| pace::parse_target(target));
    let request = PaceRequest {
        targets: targets.collect::<Result<_, _>>()?,
        per_second: ports.pace_per_second,
        lasts_ms: OWN_PACE_MS,
        timeout_ms: OWN_PACE_TIMEOUT_MS,
        chunk_ms: OWN_PACE_MS,
    };
    pace::check(&request)?;
    let resolver = Arc::new(Resolver::from_system());
    let kept = Arc::clone(&samples);
    tokio::spawn(async move {
        let paces = Paces::default();
        pace::run(resolver, request, paces.begin(), kept, |_samples| {}).await
    });
    Ok(samples)
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
            TransportChoice::Sctp => Transport::Sctp,
        },
        speak: match probe.speak {
            SpeakChoice::Nonce => Speak::Nonce,
            SpeakChoice::Connect => Speak::Connect,
            SpeakChoice::Dns => Speak::Dns,
            SpeakChoice::Lookup => Speak::Lookup,
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
