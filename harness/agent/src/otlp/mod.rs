//! Telemetry markers by OTLP, as the environment of a pod says, per the exporter specification.

mod connection;
mod emit;
mod grpc;
mod http;
mod load;
mod message;
mod settings;

pub use emit::emit;
pub use load::load;
pub use settings::{Encoding, Settings, SettingsError};
