//! The one place that runs other programs.
//!
//! Every run keeps its argument list, exit status, output and duration, sees only a scrubbed
//! environment, and ends within a time limit. What is declared secret never appears in a message.
//!
//! ```
//! use partywall_tool::Tool;
//! use std::time::Duration;
//!
//! let output = Tool::new("echo").args(["a", "wall"]).timeout(Duration::from_secs(5)).run()?;
//! assert_eq!(output.stdout_text().trim(), "a wall");
//! # Ok::<(), partywall_tool::ToolError>(())
//! ```
//!
//! It does not interpret output, retry, or decide what a failure means: callers do.

mod environment;
mod error;
mod output;
mod secret;
mod tail;
mod tool;

pub use environment::PASSED_VARIABLES;
pub use error::ToolError;
pub use output::Output;
pub use tail::last_lines;
pub use tool::{DEFAULT_TIMEOUT, Tool, find_program};
