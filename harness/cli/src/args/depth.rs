//! The words of `mutate` and `watch`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{FilesArgs, LayoutArgs, Name};
use crate::watch::Trial;

/// `mutate`.
#[derive(Debug, Args)]
#[command(after_help = "\
A mutant is killed when a scenario or a finding that was not red before goes red for the reason that
its operator names. Everything is put to the files; `--live` says what is put to the session's cluster
as well, through Git. The session then holds the layout again.

examples:
  partywall mutate --list
  partywall mutate deployments/ --operator peers-dropped --offline")]
pub struct Mutate {
    #[command(flatten)]
    pub files: FilesArgs,
    #[command(flatten)]
    pub name: Name,
    /// Which mutants the cluster is asked about; default: covering where there is a session
    #[arg(long, value_enum)]
    pub live: Option<LiveMutants>,
    /// The files alone: the same as `--live none`
    #[arg(long, conflicts_with = "live")]
    pub offline: bool,
    /// Only mutants whose name contains this: an operator, a namespace, a policy
    #[arg(long, value_name = "TEXT")]
    pub operator: Option<String>,
    /// A folder of further scenarios, `<topic>/<claim>.yaml`
    #[arg(long, value_name = "FOLDER")]
    pub scenarios: Option<PathBuf>,
    /// List the mutants with place and change, and stop; with `--verbose` the patches
    #[arg(long)]
    pub list: bool,
    /// With `--list`, the patches
    #[arg(long, requires = "list")]
    pub verbose: bool,
    /// Where events and reports go
    #[arg(long, value_name = "FOLDER", default_value = "reports/mutate")]
    pub reports: PathBuf,
    /// What to print
    #[arg(long, value_enum, default_value = "console")]
    pub format: MutateFormat,
}

/// Mutants that a cluster is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LiveMutants {
    /// Every one that a scenario can see there
    All,
    /// The fewest that show every scenario and every operator at work
    Covering,
    /// None
    None,
}

/// Formats of the table of mutants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MutateFormat {
    /// For a terminal
    Console,
    /// For a program
    Json,
    /// For a pull request's comment
    Markdown,
}

/// `watch`.
#[derive(Debug, Args)]
#[command(after_help = "\
Every experiment changes a scratch copy of the layout through Git, and is followed by the layout as it
was. A window that an experiment tears open itself is reported; one that the order of the layout
causes is a violation.

examples:
  partywall watch --list
  partywall watch policy-removed tenant-born --repeat 5
  partywall watch --while 'kubectl rollout restart …'")]
pub struct Watch {
    /// Experiments; all of them unless some are named
    #[arg(value_enum, value_name = "EXPERIMENT")]
    pub experiments: Vec<Trial>,
    #[command(flatten)]
    pub name: Name,
    #[command(flatten)]
    pub layout: LayoutArgs,
    /// The tenant that is changed; the contract's first unless one is named
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
    /// Probes a second and edge
    #[arg(long, default_value_t = 50, value_name = "20..50",
          value_parser = clap::value_parser!(u32).range(20..=50))]
    pub rate: u32,
    /// How often each experiment is done
    #[arg(long, default_value_t = 1, value_name = "NUMBER",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeat: u32,
    /// Run a shell command under the meter, and fail if it opens anything (`KUBECONFIG` and
    /// `PARTYWALL_SESSION` are set)
    #[arg(long = "while", value_name = "COMMAND", conflicts_with = "experiments")]
    pub command: Option<String>,
    /// List the experiments and stop
    #[arg(long)]
    pub list: bool,
    /// Where events go
    #[arg(long, value_name = "FOLDER", default_value = "reports/watch")]
    pub reports: PathBuf,
}
