//! Mutants of any layout, generated from the layout itself.
//!
//! ```text
//! Layout + Rendered + Contract ─► generate (one file a family) ─► Generated: files, place, killers
//!                                     └─ text (lines, documents and values of a file) ─ extent
//! events before, events after ─► judge ─► Fate          allowed ─► whether nothing changed at all
//! ```
//!
//! An operator of the [`catalogue`] says what it breaks and who must notice for which reason. A
//! mutant is a change of a file's text: everything that is not changed stays as it is written, and
//! what is written is read again and held against what was meant.

mod allowed;
mod catalogue;
mod cover;
mod extent;
mod flux;
mod folders;
mod generate;
mod ground;
mod judge;
mod model;
mod namespaces;
mod pairs;
mod pipeline;
mod rights;
mod rules;
mod secrets;
mod survey;
mod text;
mod unified;
mod walls;

pub use allowed::Allowed;
pub use catalogue::{CATALOGUE, Killer, Operator, Witness};
pub use cover::covering;
pub use generate::generate;
pub use ground::Ground;
pub use judge::{Red, fate, reds};
pub use model::{Generated, MutantFiles};
pub use unified::unified;
