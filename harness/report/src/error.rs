//! Why a report could not be rendered.

use thiserror::Error;

/// Why a report could not be rendered. Events themselves never cause this.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The XML could not be written.
    #[error("failed to write the JUnit report")]
    Junit(#[from] quick_junit::SerializeError),
    /// The object could not be written as JSON.
    #[error("failed to write the report as JSON")]
    Json(#[from] serde_json::Error),
    /// The page's template could not be filled in.
    #[error("failed to fill in the HTML template")]
    Html(#[from] minijinja::Error),
}
