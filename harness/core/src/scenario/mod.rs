//! Scenarios: one claim each, as a YAML file.

mod load;
mod model;

pub use load::load_scenario;
pub use model::{
    Access, Attempt, Control, Deliver, Dns, Each, Expect, Family, Party, Ports, Question, Reach,
    Scenario, Secret,
};
