//! The command line's words.

mod depth;
mod rotate;

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use partywall_live::{Session, SessionError};

pub use depth::{LiveMutants, Mutate, MutateFormat, Watch};
pub use rotate::{Rotate, RotateStep};

/// Proves that the walls between tenants hold.
#[derive(Debug, Parser)]
#[command(
    name = "partywall",
    version,
    about,
    after_help = "\
exit codes: 0 holds, 1 violated, 2 usage or bad input, 3 environment, 4 undetermined"
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge the claims from the files alone: no Docker, no cluster
    Check(Check),
    /// Say which rules allow or deny, with the line of each
    Explain(Explain),
    /// What a change opens and closes
    Diff(Diff),
    /// Put every trial to the files and to the session, and list where they disagree
    Agree(Agree),
    /// Draft a contract from a layout
    Init(Init),
    /// Build a kind cluster with Flux and a Git server, and let Flux apply the layout
    Up(Up),
    /// Remove everything that `up` made, and nothing else
    Down(Name),
    /// Judge the claims on the session's cluster
    Test(Test),
    /// Apply each mutant through Git and show that the run goes red for the named reason
    Mutants(Mutants),
    /// Generate mutants of a layout and show that each is noticed, and by whom
    Mutate(Mutate),
    /// Measure for how long edges are open or closed while something changes
    Watch(Watch),
    /// Help to rotate a tenant's age key: plan, do a step, verify
    Rotate(Rotate),
    /// Push the layout's working tree and wait until Flux has applied it
    Push(Push),
    /// The component images and programs
    Images(Images),
    /// Is this machine fit? Says what is missing and how to get it
    Doctor(Doctor),
    /// Render an earlier run again from its events
    Report(Report),
    /// Collect Flux conditions, policies, events and logs, with secrets cut
    Diagnose(Diagnose),
    /// Measure one line for every budget
    Bench(Bench),
    /// All of it: set up what is missing, up, test, mutants, first draft, down
    E2e(E2e),
}

/// Which session.
#[derive(Clone, Debug, Args)]
pub struct Name {
    /// Name of the session and of its kind cluster
    #[arg(long, default_value = "partywall", value_parser = session_name)]
    pub session: String,
}

fn session_name(name: &str) -> Result<String, SessionError> {
    Session::directory_of(Path::new(""), name).map(|_folder| name.to_string())
}

/// Which layout.
#[derive(Clone, Debug, Args)]
pub struct LayoutArgs {
    /// The layout: a folder with `partywall.yaml` at its root
    #[arg(long, value_name = "FOLDER")]
    pub layout: Option<PathBuf>,
    /// Private age keys (`*.agekey`) for the layout's committed secrets; without a key a
    /// secret gets made-up values in the pushed commit
    #[arg(long, value_name = "FOLDER")]
    pub keys: Option<PathBuf>,
}

/// Where images come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImageSource {
    /// Registry if one answers, else bundle
    Auto,
    /// Built here from language modules
    Bundle,
    /// Published references of kind-config/images.lock
    Registry,
}

/// Where a layout is read without a cluster.
#[derive(Clone, Debug, Args)]
pub struct FilesArgs {
    /// The layout: a folder, with `partywall.yaml` at its root
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,
    /// Private age keys (`*.agekey`); without a key its files are judged by their recipients
    #[arg(long, value_name = "FOLDER")]
    pub keys: Option<PathBuf>,
    /// Which cluster of several, by its `gotk-sync.yaml`
    #[arg(long, value_name = "FILE")]
    pub entry: Option<String>,
    /// Render everything anew
    #[arg(long)]
    pub no_cache: bool,
}

/// `check`.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub files: FilesArgs,
    /// A Git revision; else the working tree
    #[arg(long, value_name = "REVISION")]
    pub rev: Option<String>,
    /// Only trials whose name contains this
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// A folder of further scenarios, `<topic>/<claim>.yaml`
    #[arg(long, value_name = "FOLDER")]
    pub scenarios: Option<PathBuf>,
    /// List the trials and stop
    #[arg(long)]
    pub list: bool,
    /// What to print
    #[arg(long, value_enum, default_value = "console")]
    pub format: Format,
    /// Also write events and reports here
    #[arg(long, value_name = "FOLDER")]
    pub reports: Option<PathBuf>,
}

/// `explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
examples:
  partywall explain customer-a/open-webui shared-services/gateway:8000
  partywall explain customer-a/open-webui customer-b
  partywall explain customer-a/open-webui 203.0.113.10:443/TCP
  partywall explain secret customer-a/open-webui-secrets
  partywall explain org customer-a")]
pub struct Explain {
    /// NAMESPACE/WORKLOAD or ENDPOINT; or `secret`; or `org`
    pub from: String,
    /// NAMESPACE[/WORKLOAD], an endpoint or an address, with `:PORT[/UDP]` if one port is meant;
    /// or NAMESPACE/NAME of the Secret; or the tenant
    pub to: String,
    /// The layout: a folder, with `partywall.yaml` at its root
    #[arg(long, value_name = "FOLDER")]
    pub layout: Option<PathBuf>,
    /// A Git revision; else the working tree
    #[arg(long, value_name = "REVISION")]
    pub rev: Option<String>,
    /// What to print
    #[arg(long, value_enum, default_value = "text")]
    pub format: TextFormat,
}

/// `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// `BASE..HEAD`; HEAD may be left out for the working tree: `main..`
    #[arg(value_name = "BASE..HEAD")]
    pub range: String,
    /// The layout: a folder, with `partywall.yaml` at its root
    #[arg(long, value_name = "FOLDER")]
    pub layout: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value = "text")]
    pub format: TextFormat,
}

/// `agree`.
#[derive(Debug, Args)]
pub struct Agree {
    /// Only layouts and mutants whose name contains this: `reference`, `first-draft`, `07-`
    pub filter: Option<String>,
    #[command(flatten)]
    pub name: Name,
    /// Also every mutant of fixtures/mutants, and the first draft
    #[arg(long)]
    pub all: bool,
    /// The ledger of squares that Kubernetes leaves to the implementation
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// The layout in place of the reference
    #[arg(long, value_name = "FOLDER")]
    pub layout: Option<PathBuf>,
}

/// `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// The layout: a folder
    #[arg(value_name = "PATH", default_value = ".")]
    pub path: PathBuf,
    /// Write `partywall.yaml` into the layout instead of printing it; never over an existing one
    #[arg(long)]
    pub write: bool,
    /// Which cluster of several, by its `gotk-sync.yaml`
    #[arg(long, value_name = "FILE")]
    pub entry: Option<String>,
}

/// Formats of answers that are no reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TextFormat {
    /// For a terminal
    Text,
    /// For a pull request's comment
    Markdown,
    /// For a program
    Json,
}

/// `up`.
#[derive(Debug, Args)]
pub struct Up {
    #[command(flatten)]
    pub name: Name,
    #[command(flatten)]
    pub layout: LayoutArgs,
    /// 1, or 2 for a worker beside the control plane
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub nodes: u8,
    /// Which addresses pods have
    #[arg(long, value_enum, default_value = "ipv4")]
    pub ip_family: IpFamilyChoice,
    /// Where images come from
    #[arg(long, value_enum, default_value = "auto")]
    pub images: ImageSource,
    /// A registry that stands in for the published ones
    #[arg(long, value_name = "HOST:PORT")]
    pub registry_mirror: Option<String>,
}

/// Which addresses pods have.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum IpFamilyChoice {
    /// IPv4 alone
    Ipv4,
    /// IPv4 and IPv6
    Dual,
}

/// `test`.
#[derive(Debug, Args)]
pub struct Test {
    /// Only trials whose name contains this
    pub filter: Option<String>,
    #[command(flatten)]
    pub name: Name,
    #[command(flatten)]
    pub layout: LayoutArgs,
    /// A folder of further scenarios, `<topic>/<claim>.yaml`
    #[arg(long, value_name = "FOLDER")]
    pub scenarios: Option<PathBuf>,
    /// List the trials and stop
    #[arg(long)]
    pub list: bool,
    /// Where events and reports go
    #[arg(long, value_name = "FOLDER", default_value = "reports")]
    pub reports: PathBuf,
}

/// `mutants`.
#[derive(Debug, Args)]
pub struct Mutants {
    /// Only mutants whose name contains this
    pub filter: Option<String>,
    /// For each scenario only the first mutant that turns it red
    #[arg(long)]
    pub one_each: bool,
    #[command(flatten)]
    pub name: Name,
    /// The folder of mutants
    #[arg(long, value_name = "FOLDER")]
    pub mutants: Option<PathBuf>,
    /// Where events and reports go
    #[arg(long, value_name = "FOLDER", default_value = "reports")]
    pub reports: PathBuf,
}

/// `push`.
#[derive(Debug, Args)]
pub struct Push {
    #[command(flatten)]
    pub name: Name,
    #[command(flatten)]
    pub layout: LayoutArgs,
}

/// `images`.
#[derive(Debug, Args)]
pub struct Images {
    #[command(subcommand)]
    pub command: ImagesCommand,
}

/// The verbs of `images`.
#[derive(Debug, Subcommand)]
pub enum ImagesCommand {
    /// Build every component that is not in the cache
    Build {
        /// Only these components
        only: Vec<String>,
        /// Where images come from
        #[arg(long, value_enum, default_value = "bundle")]
        images: ImageSource,
        /// A registry that stands in for the published ones
        #[arg(long, value_name = "HOST:PORT")]
        registry_mirror: Option<String>,
    },
    /// List components with versions and what is built
    List,
    /// Check that what is built is what the lock file says
    Verify,
    /// Push the bundle's images to a registry, under the published names
    Push {
        /// The registry
        #[arg(value_name = "HOST:PORT")]
        registry: String,
    },
    /// Ask the registry for digests and write them into the lock file
    Pin {
        /// A registry that stands in for the published ones
        #[arg(long, value_name = "HOST:PORT")]
        registry_mirror: Option<String>,
    },
}

/// `e2e`.
#[derive(Clone, Debug, Args)]
pub struct E2e {
    #[command(flatten)]
    pub name: Name,
    /// Leave the cluster standing, also when something failed
    #[arg(long)]
    pub keep: bool,
    /// A shell command to run while the session stands (`PARTYWALL_SESSION` names it)
    #[arg(long, value_name = "COMMAND")]
    pub run: Option<String>,
    /// Where events and reports go
    #[arg(long, value_name = "FOLDER", default_value = "reports")]
    pub reports: PathBuf,
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Install and start what is missing, where that is possible
    #[arg(long)]
    pub fix: bool,
}

/// `report`.
#[derive(Debug, Args)]
pub struct Report {
    /// The folder with `events/`
    #[arg(default_value = "reports")]
    pub reports: PathBuf,
    /// Folders of other runs over the same layout, for `html` and `markdown`: of `check
    /// --reports`, of `watch`, of `mutate`
    #[arg(long, value_name = "FOLDER", num_args = 1..)]
    pub with: Vec<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value = "console")]
    pub format: Format,
}

/// Report formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Matrices and failures
    Console,
    /// JUnit XML
    Junit,
    /// A GitHub step summary in Markdown
    Github,
    /// For a pull request's comment
    Markdown,
    /// For a program
    Json,
    /// For code scanning
    Sarif,
    /// One page that needs nothing but itself: matrix, proof, exposure, mutants
    Html,
}

/// `diagnose`.
#[derive(Debug, Args)]
pub struct Diagnose {
    #[command(flatten)]
    pub name: Name,
    /// Where to
    #[arg(long, value_name = "FOLDER", default_value = "reports/diagnostics")]
    pub out: PathBuf,
}

/// `bench`.
#[derive(Debug, Args)]
pub struct Bench {
    /// Also build the bundle from nothing (30 to 45 minutes)
    #[arg(long)]
    pub bundle: bool,
    /// Only what needs no cluster
    #[arg(long, conflicts_with = "bundle")]
    pub files: bool,
    /// Tenants of the large layout, which is made from the reference layout
    #[arg(long, default_value_t = 30, value_name = "NUMBER")]
    pub tenants: usize,
    /// Write the large layout with its charts and its keys into a new folder, and measure nothing
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["bundle", "files"])]
    pub write: Option<PathBuf>,
}
