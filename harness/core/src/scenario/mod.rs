//! Scenarios: one claim each, as a YAML file.

mod load;
mod model;

pub use load::load_scenario;
pub use model::{
    Access, Attempt, Control, DataSources, Deliver, Dns, Each, Expect, Family, Load, Party, Ports,
    Question, Reach, Scenario, Secret,
};
