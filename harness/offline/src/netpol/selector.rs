//! Label selectors.

use std::collections::BTreeSet;

use super::facts::Labels;

/// One condition on labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Requirement {
    /// The key is there, with one of these values.
    In {
        /// The key.
        key: String,
        /// The values.
        values: BTreeSet<String>,
    },
    /// The key is not there, or has none of these values.
    NotIn {
        /// The key.
        key: String,
        /// The values.
        values: BTreeSet<String>,
    },
    /// The key is there.
    Exists {
        /// The key.
        key: String,
    },
    /// The key is not there.
    DoesNotExist {
        /// The key.
        key: String,
    },
}

impl Requirement {
    /// The label that it is about.
    pub fn key(&self) -> &str {
        match self {
            Self::In { key, .. }
            | Self::NotIn { key, .. }
            | Self::Exists { key }
            | Self::DoesNotExist { key } => key,
        }
    }

    fn holds(&self, labels: &Labels) -> bool {
        match self {
            Self::In { key, values } => labels.get(key).is_some_and(|value| values.contains(value)),
            Self::NotIn { key, values } => {
                labels.get(key).is_none_or(|value| !values.contains(value))
            }
            Self::Exists { key } => labels.contains_key(key),
            Self::DoesNotExist { key } => !labels.contains_key(key),
        }
    }
}

/// Conditions that must all hold; none selects everything. Two selectors with the same
/// conditions in another order are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Selector(Vec<Requirement>);

impl Selector {
    /// Of its conditions, in any order.
    pub fn new(requirements: impl IntoIterator<Item = Requirement>) -> Self {
        let mut requirements: Vec<Requirement> = requirements.into_iter().collect();
        requirements.sort_unstable();
        requirements.dedup();
        Self(requirements)
    }

    /// Its conditions.
    pub fn requirements(&self) -> &[Requirement] {
        &self.0
    }

    /// Whether it selects what has these labels.
    pub fn selects(&self, labels: &Labels) -> bool {
        self.0.iter().all(|requirement| requirement.holds(labels))
    }
}
