//! Why the API server would refuse a policy, and at which field.

use std::fmt;

use thiserror::Error;

/// Where in a document: keys, and places in lists as numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(Vec<String>);

impl FieldPath {
    /// From its segments: `spec`, `egress`, `2`, `ports`, `0`.
    pub fn new<Segment: ToString>(segments: impl IntoIterator<Item = Segment>) -> Self {
        Self(segments.into_iter().map(|segment| segment.to_string()).collect())
    }

    /// The field below this one.
    #[must_use]
    pub fn child(&self, segment: impl ToString) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment.to_string());
        Self(segments)
    }

    /// Keys and numbers from the document's root.
    pub fn segments(&self) -> &[String] {
        &self.0
    }
}

/// `spec.ingress[0].ports[0].endPort`.
impl fmt::Display for FieldPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            if segment.parse::<usize>().is_ok() {
                write!(formatter, "[{segment}]")?;
            } else if index == 0 {
                write!(formatter, "{segment}")?;
            } else {
                write!(formatter, ".{segment}")?;
            }
        }
        Ok(())
    }
}

/// A policy that the API server would refuse.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path}: {problem}")]
pub struct PolicyError {
    /// The field that is wrong.
    pub path: FieldPath,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What the API server would refuse.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// An unknown field, or a value of the wrong type.
    #[error("{0}")]
    Shape(String),
    /// A field that must be there is not.
    #[error("required")]
    Required,
    /// Not a policy of the API that is evaluated here.
    #[error("`{0}` is not supported, write `{1}`")]
    NotSupported(String, &'static str),
    /// Not a number from 1 to 65535.
    #[error("{0} is not a port: 1 to 65535")]
    PortNumber(i64),
    /// Not the name of a port.
    #[error("`{0}` is not the name of a port: up to 15 of a-z, 0-9 and single `-`, with a letter")]
    PortName(String),
    /// `endPort` without a number to start from.
    #[error("`endPort` needs a number in `port`")]
    EndWithoutNumber,
    /// `endPort` is before `port`.
    #[error("{end} is before `port` {port}")]
    EndBeforePort {
        /// `endPort`.
        end: i64,
        /// `port`.
        port: i64,
    },
    /// A peer without any selector or block.
    #[error("a peer needs `podSelector`, `namespaceSelector` or `ipBlock`")]
    EmptyPeer,
    /// `ipBlock` beside a selector.
    #[error("`ipBlock` cannot stand beside a selector")]
    BlockWithSelector,
    /// Not a CIDR.
    #[error("`{0}` is not a CIDR such as 10.0.0.0/8")]
    Cidr(String),
    /// An exception that is not a part of its block.
    #[error("`{except}` is not a smaller part of `{cidr}`")]
    ExceptOutside {
        /// The exception.
        except: String,
        /// Its block.
        cidr: String,
    },
    /// Not the key of a label.
    #[error("`{0}` is not the key of a label")]
    LabelKey(String),
    /// Not the value of a label.
    #[error("`{0}` is not the value of a label: up to 63 of A-Z, a-z, 0-9, `-`, `_` and `.`")]
    LabelValue(String),
    /// An operator that needs values has none.
    #[error("`{0}` needs `values`")]
    ValuesMissing(&'static str),
    /// An operator that takes no values has some.
    #[error("`{0}` takes no `values`")]
    ValuesForbidden(&'static str),
    /// More policy types than there are.
    #[error("more than two policy types")]
    TooManyTypes,
}

impl Problem {
    /// The problem at a field.
    pub(super) const fn at(self, path: FieldPath) -> PolicyError {
        PolicyError { path, problem: self }
    }
}
