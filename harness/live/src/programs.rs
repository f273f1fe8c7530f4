//! Other programs, run off the async threads.

use partywall_tool::{Output, Tool, ToolError};

/// Run to the end; anything but exit code 0 is an error.
pub(crate) async fn run(tool: Tool) -> Result<Output, ToolError> {
    let shown = tool.to_string();
    blocking(shown, move || tool.run()).await
}

/// Run to the end, whatever the exit code.
pub(crate) async fn run_unchecked(tool: Tool) -> Result<Output, ToolError> {
    let shown = tool.to_string();
    blocking(shown, move || tool.run_unchecked()).await
}

async fn blocking(
    command: String,
    work: impl FnOnce() -> Result<Output, ToolError> + Send + 'static,
) -> Result<Output, ToolError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            Err(ToolError::Start { command, source: std::io::Error::other(error.to_string()) })
        }
    }
}

/// The docker program.
pub(crate) fn docker<'a>(args: impl IntoIterator<Item = &'a str>) -> Tool {
    Tool::new("docker").args(args)
}
