//! Runs as one page of HTML that needs nothing but itself: no font, no picture, nothing from the
//! network. It reads without JavaScript; its one script only finds things faster.
//!
//! ```text
//! events ─► Scene ─┬─► head      what it came to, run by run, and what was not judged
//!                  ├─► findings  what does not hold, with the line that causes it
//!                  ├─► grid      contract, files and cluster, square by square
//!                  ├─► proof     what stands behind every square
//!                  ├─► trials    claims, and the command that repeats each
//!                  ├─► exposure  what was open while something changed, drawn by timeline
//!                  ├─► mutants   what would have made the test fail
//!                  └─► measured  distributions
//! ```
//!
//! Every text of an event is cleaned and escaped: names are made by tenants. The page's policy
//! allows the one script and the one style by their hashes, so that even a text that got
//! through could not run.

mod exposure;
mod findings;
mod grid;
mod head;
mod links;
mod measured;
mod mutants;
mod page;
mod proof;
mod timeline;
mod trials;

pub use page::{BYTES_MAX, render, render_all};
