//! Telemetry as the files say it: from a tenant's environment through the collector to the
//! organisation it ends in.
//!
//! ```text
//! environment (sender, settings) ─► Service, pods (place) ─► collector (collector, pipeline, headers)
//!       ─► store ─► End ─┬─► deliver, access: observations      (observe)
//!                        ├─► trail, blame: the lines that decide (trail, blame)
//!                        └─► defects that no cell shows         (findings)
//! ```
//!
//! Modelled is what the OpenTelemetry Collector, Loki and Mimir do with the organisation's
//! header. A component that may change it and is not known here is not judged, by name.

mod blame;
mod collector;
mod config;
mod container;
mod data_sources;
#[cfg(test)]
mod data_sources_tests;
mod environment;
mod estate;
mod findings;
mod headers;
mod load;
mod observe;
mod pipeline;
mod place;
mod route;
mod sender;
mod settings;
mod store;
mod trail;

#[cfg(test)]
mod receiver_tests;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod sender_tests;
#[cfg(test)]
mod tests;

pub(crate) use config::first_line_of;
pub(crate) use data_sources::{decoded, texts_of};
pub use estate::Telemetry;
pub use findings::{
    COLLECTOR_DOES_NOT_START, ORGANISATION_FROM_CLIENT_HEADER, ORGANISATION_LOST,
    SENDER_IN_OTHER_ORGANISATION, SENDER_WITHOUT_ORGANISATION, SIGNAL_WITHOUT_PIPELINE,
    TELEMETRY_GOES_NOWHERE,
};
pub(crate) use load::limits;
pub use observe::Deliveries;
pub use route::{Hop, HopTarget, Reaches};
pub use trail::{Step, Trail};
