//! Policies over pods: rule by rule, and against a slow evaluator that is easy to believe.

#![expect(clippy::unwrap_used, reason = "a failed step of a trial is a failed trial")]

mod agreement;
mod random;
mod reference;
mod rules;
mod scale;
