//! The words of `rotate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::LayoutArgs;

/// `rotate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without `--do` and `--verify` it prints the plan and changes nothing. Values are opened in memory alone;
only sealed text is written, and a new private key goes to the file that `--new-key` names.

examples:
  partywall rotate customer-a --layout deployments
  partywall rotate customer-a --layout deployments --keys ~/keys --new-key ~/keys/new.agekey --do add
  partywall rotate customer-a --layout deployments --keys ~/keys --new-key ~/keys/new.agekey --verify")]
pub struct Rotate {
    /// The tenant whose key is rotated
    #[arg(value_name = "TENANT")]
    pub tenant: String,
    #[command(flatten)]
    pub layout: LayoutArgs,
    /// The file with the new private key; `--do add` makes it where it is not there yet
    #[arg(long, value_name = "FILE")]
    pub new_key: Option<PathBuf>,
    /// The public key that goes, where the tenant has several
    #[arg(long, value_name = "RECIPIENT")]
    pub old: Option<String>,
    /// Do one step: the layout's files are written
    #[arg(long = "do", value_enum, value_name = "STEP", requires = "new_key")]
    pub step: Option<RotateStep>,
    /// With `--do`: say what would be written, and write nothing
    #[arg(long, requires = "step")]
    pub dry_run: bool,
    /// Check that the rotation is done
    #[arg(long, conflicts_with = "step", requires = "new_key")]
    pub verify: bool,
}

/// The steps of a rotation, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RotateStep {
    /// The new key becomes a recipient beside the old one
    Add,
    /// Every file gets a new data key
    Reseal,
    /// The old key is no recipient any more
    Remove,
}
