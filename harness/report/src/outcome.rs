//! What a run came to, in a word and a sentence.

use partywall_core::event::Event;
use partywall_core::exit::Exit;
use partywall_core::verdict::Verdict;

use crate::account::account;
use crate::not_judged::title as not_judged_title;
use crate::text::clean;
use crate::view::{RunView, TrialView, exit_of, meaning};

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
    let exit = exit_of(ending.exit);
    let (word, sentence) = meaning(exit, view.is_offline());
    let is_unknown = |trial: &TrialView<'_>| matches!(trial.verdict, Verdict::Undetermined { .. });
    let is_only_not_judged = exit == Some(Exit::Undetermined)
        && !view.not_judged.is_empty()
        && !view.trials.iter().any(is_unknown);
    if is_only_not_judged {
        let parts = not_judged_title(view.not_judged.len());
        return (word, format!("exit {}: what is judged holds, but {parts}", ending.exit));
    }
    (word, format!("exit {}: {sentence}", ending.exit))
}
