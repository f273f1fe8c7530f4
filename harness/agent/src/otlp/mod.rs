//! Telemetry markers by OTLP, as the environment of a pod says, per the exporter specification.

mod emit;
mod grpc;
mod http;
mod message;
mod settings;

pub use emit::emit;
pub use settings::{Encoding, Settings, SettingsError};
