//! Steps with their times, on a terminal as bars, elsewhere as lines.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use partywall_live::{Phase, Progress};

/// Draws the steps of `up`.
#[derive(Default)]
pub struct Bars {
    bars: MultiProgress,
    open: Mutex<HashMap<Phase, ProgressBar>>,
}

impl Bars {
    fn end(&self, phase: Phase, line: &str) {
        let open = self.open.lock().map(|mut open| open.remove(&phase));
        if let Ok(Some(bar)) = open {
            bar.finish_and_clear();
        }
        self.line(line);
    }

    fn line(&self, line: &str) {
        // A hidden draw target (no terminal) swallows lines; then they are printed plainly.
        if self.bars.is_hidden() {
            crate::print::note(line);
        } else {
            let _drawn = self.bars.println(line);
        }
    }
}

impl Progress for Bars {
    fn started(&self, phase: Phase) {
        let style = ProgressStyle::with_template("  {spinner} {msg} {elapsed}");
        let bar = self.bars.add(ProgressBar::new_spinner());
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_message(phase.title());
        bar.enable_steady_tick(Duration::from_millis(120));
        if let Ok(mut open) = self.open.lock() {
            open.insert(phase, bar);
        }
    }

    fn says(&self, phase: Phase, text: &str) {
        self.line(&format!("    {}: {text}", phase.title()));
    }

    fn finished(&self, phase: Phase, took: Duration) {
        self.end(phase, &format!("  ✓ {:<18} {:>5.1} s", phase.title(), took.as_secs_f64()));
    }

    fn failed(&self, phase: Phase, took: Duration) {
        self.end(phase, &format!("  ✗ {:<18} {:>5.1} s", phase.title(), took.as_secs_f64()));
    }
}
