//! What a run came to, in a word and a sentence.

use partywall_core::event::Event;

use crate::account::account;
use crate::text::clean;
use crate::view::{RunView, exit_of, meaning};

/// The headline's word, and a sentence. A run that does not add up has no result, whatever it
/// says of itself.
pub(crate) fn outcome(events: &[Event], view: &RunView<'_>) -> (&'static str, String) {
    let ending = match (account(events), view.ending) {
        (Ok(_), Some(ending)) if view.is_complete() => ending,
        (Err(error), _) => {
            return ("NO RESULT", clean(&format!("the run does not add up: {error}")));
        }
        (Ok(_), _) => return ("NO RESULT", "the run did not finish".to_string()),
    };
    let (word, sentence) = meaning(exit_of(ending.exit));
    (word, format!("exit {}: {sentence}", ending.exit))
}
