//! What became of generated mutants: a table with both backends, and a score for every scenario.

use std::collections::BTreeMap;

use partywall_core::event::{Event, Fate, MutantResult};
use partywall_core::exit::Exit;
use partywall_core::verdict::Verdict;
use serde::Serialize;

use crate::console::{ConsoleOptions, Tone, clamped};
use crate::error::ReportError;
use crate::json as object;
use crate::markdown::{code, details, escape, row};
use crate::text::{clean, counted, fit, pad, width, wrap};
use crate::view::RunView;

const INDENT: &str = "  ";
/// Columns of a fate.
const FATE: usize = 11;

/// What the mutants of a run came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Score {
    /// Mutants that were killed wherever they were put.
    pub killed: usize,
    /// Killed or survived.
    pub killable: usize,
    /// Those that change nothing.
    pub equivalent: usize,
    /// Those that were put to nobody.
    pub not_run: usize,
    /// Killed and put to a cluster.
    pub killed_live: usize,
    /// Put to a cluster.
    pub killable_live: usize,
    /// Every scenario that was asked, and every defect that killed.
    pub witnesses: Vec<Witness>,
}

/// A scenario or a defect, and how many mutants it killed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// The scenario's path, or the defect's name.
    pub name: String,
    /// Whether it is a scenario.
    pub is_scenario: bool,
    /// Whether it only records what is seen: it judges nothing, and can kill nothing.
    pub is_recorded: bool,
    /// Mutants that it killed by the files.
    pub killed: usize,
    /// Those of them that nobody else killed.
    pub alone: usize,
    /// Mutants that it killed on a cluster.
    pub killed_live: usize,
}

impl Witness {
    /// A scenario that judges, and killed nothing.
    const fn is_idle(&self) -> bool {
        self.is_scenario && !self.is_recorded && self.killed + self.killed_live == 0
    }
}

/// What became of a mutant, both backends together: killed only where nobody let it live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    Killed,
    Survived,
    Equivalent,
    NotRun,
}

fn whole(mutant: &MutantResult) -> Whole {
    match (&mutant.offline, &mutant.live) {
        // What a cluster shows is more than what the files tell.
        (_, Fate::Survived { .. }) => Whole::Survived,
        (_, Fate::Killed { .. }) | (Fate::Killed { .. }, _) => Whole::Killed,
        (Fate::Survived { .. }, _) => Whole::Survived,
        (Fate::Equivalent { .. }, _) | (_, Fate::Equivalent { .. }) => Whole::Equivalent,
        (Fate::NotRun { .. }, Fate::NotRun { .. }) => Whole::NotRun,
    }
}

impl Score {
    /// Of a run with mutants.
    pub fn of(events: &[Event]) -> Self {
        let view = RunView::of(events);
        let is = |wanted: Whole| view.mutants.iter().filter(|one| whole(one) == wanted).count();
        let live =
            |fates: fn(&Fate) -> bool| view.mutants.iter().filter(|one| fates(&one.live)).count();
        let killed_live = live(|fate| matches!(fate, Fate::Killed { .. }));
        Self {
            killed: is(Whole::Killed),
            killable: is(Whole::Killed) + is(Whole::Survived),
            equivalent: is(Whole::Equivalent),
            not_run: is(Whole::NotRun),
            killed_live,
            killable_live: killed_live + live(|fate| matches!(fate, Fate::Survived { .. })),
            witnesses: witnesses(&view),
        }
    }

    /// Violated where one survived; undetermined where none could be killed at all.
    pub fn exit(&self) -> Exit {
        match (self.killable, self.killed == self.killable) {
            (0, _) => Exit::Undetermined,
            (_, true) => Exit::Holds,
            (_, false) => Exit::Violated,
        }
    }

    /// Scenarios that were asked and killed nothing: nobody knows whether they can go red.
    pub fn idle(&self) -> impl Iterator<Item = &str> {
        self.witnesses.iter().filter(|one| one.is_idle()).map(|one| one.name.as_str())
    }
}

fn witnesses(view: &RunView<'_>) -> Vec<Witness> {
    let is_recorded = |name: &str| {
        let mut trials = view.trials.iter().filter(|trial| trial.scenario == name).peekable();
        trials.peek().is_some()
            && trials.all(|trial| matches!(trial.verdict, Verdict::Recorded { .. }))
    };
    let scenario = |name: &str| Witness {
        name: name.to_string(),
        is_scenario: true,
        is_recorded: is_recorded(name),
        killed: 0,
        alone: 0,
        killed_live: 0,
    };
    let asked =
        view.trials.iter().map(|trial| (trial.scenario.to_string(), scenario(trial.scenario)));
    let mut found: BTreeMap<String, Witness> = asked.collect();
    for mutant in &view.mutants {
        for (fate, is_live) in [(&mutant.offline, false), (&mutant.live, true)] {
            let Fate::Killed { by, also, .. } = fate else { continue };
            for name in also.iter().chain([by]) {
                let witness = found.entry(name.clone()).or_insert_with(|| Witness {
                    // Paths of scenarios have a topic in front.
                    is_scenario: name.contains('/'),
                    ..scenario(name)
                });
                match is_live {
                    true => witness.killed_live += 1,
                    false => witness.killed += 1,
                }
                witness.alone += usize::from(!is_live && also.is_empty());
            }
        }
    }
    let mut all: Vec<Witness> = found.into_values().collect();
    all.sort_by_key(|one| !one.is_scenario);
    all
}

/// For a terminal: one line a mutant, survivors with their reasons, then the scores.
pub fn text(events: &[Event], options: &ConsoleOptions) -> String {
    let options = clamped(options);
    let view = RunView::of(events);
    let score = Score::of(events);
    let mut lines = table(&view, &options);
    lines.extend(survivors(&view, &options));
    lines.extend(not_run(&view, &options));
    lines.extend(scores(&score, &options));
    lines.extend(sum(&score, &options));
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn table(view: &RunView<'_>, options: &ConsoleOptions) -> Vec<String> {
    let longest = view.mutants.iter().map(|one| width(&one.name)).max().unwrap_or_default();
    let room = options.width.saturating_sub(2 * FATE + 20).max(20);
    let names = longest.min(room);
    let head = format!("{} {}{}by", pad("mutant", names), pad("offline", FATE), pad("live", FATE));
    let mut lines = vec![options.colour.paint(Tone::Quiet, &head)];
    for mutant in &view.mutants {
        let name = pad(&fit(&clean(&mutant.name), names), names);
        let by = match (&mutant.offline, &mutant.live) {
            (Fate::Killed { by, .. }, _) | (_, Fate::Killed { by, .. }) => clean(by),
            _ => String::new(),
        };
        let [offline, live] = [&mutant.offline, &mutant.live].map(|fate| {
            let word = if is_put(fate) { fate.word() } else { "·" };
            options.colour.paint(tone(fate), &pad(word, FATE))
        });
        let left = options.width.saturating_sub(names + 1 + 2 * FATE);
        lines.push(format!("{name} {offline}{live}{}", fit(&by, left)));
    }
    lines.push(String::new());
    lines
}

fn is_put(fate: &Fate) -> bool {
    !matches!(fate, Fate::NotRun { .. })
}

const fn tone(fate: &Fate) -> Tone {
    match fate {
        Fate::Killed { .. } => Tone::Good,
        Fate::Survived { .. } => Tone::Bad,
        Fate::Equivalent { .. } | Fate::NotRun { .. } => Tone::Quiet,
    }
}

fn reason(fate: &Fate) -> &str {
    match fate {
        Fate::Killed { reason, .. }
        | Fate::Survived { reason }
        | Fate::Equivalent { reason }
        | Fate::NotRun { reason } => reason,
    }
}

fn survivors(view: &RunView<'_>, options: &ConsoleOptions) -> Vec<String> {
    let mut lines = Vec::new();
    for mutant in view.mutants.iter().filter(|one| whole(one) == Whole::Survived) {
        let word = options.colour.paint(Tone::Bad, "SURVIVED");
        lines.push(format!("{word}  {}", clean(&mutant.name)));
        let said = clean(&format!("{}: {}", mutant.location, mutant.change));
        lines.extend(indented(&said, options));
        for (backend, fate) in [("offline", &mutant.offline), ("live", &mutant.live)] {
            if let Fate::Survived { reason } = fate {
                lines.extend(indented(&clean(&format!("{backend}: {reason}")), options));
            }
        }
        lines.push(String::new());
    }
    lines
}

fn indented(text: &str, options: &ConsoleOptions) -> Vec<String> {
    let lines = wrap(text, options.width.saturating_sub(2 * INDENT.len()), 4);
    lines.into_iter().map(|line| format!("{INDENT}{line}")).collect()
}

/// What was put to nobody, by its reason.
fn not_run(view: &RunView<'_>, options: &ConsoleOptions) -> Vec<String> {
    let mut lines = Vec::new();
    for mutant in view.mutants.iter().filter(|one| whole(one) == Whole::NotRun) {
        let word = options.colour.paint(Tone::Unsure, "not run");
        lines.push(format!("{word}  {}", clean(&mutant.name)));
        lines.extend(indented(&clean(reason(&mutant.offline)), options));
    }
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

fn scores(score: &Score, options: &ConsoleOptions) -> Vec<String> {
    let longest = score.witnesses.iter().map(|one| width(&one.name)).max().unwrap_or_default();
    let names = longest.max("scenario or defect".len());
    let head = format!(
        "{} {:>8} {:>8} {:>8}",
        pad("scenario or defect", names),
        "offline",
        "alone",
        "live"
    );
    let mut lines = vec![options.colour.paint(Tone::Quiet, &head)];
    for one in &score.witnesses {
        let name = pad(&clean(&one.name), names);
        let line = format!("{name} {:>8} {:>8} {:>8}", one.killed, one.alone, one.killed_live);
        lines.push(match (one.is_idle(), one.is_recorded) {
            (true, _) => options.colour.paint(Tone::Unsure, &format!("{line}  kills nothing")),
            (false, true) => options.colour.paint(Tone::Quiet, &format!("{line}  judges nothing")),
            (false, false) => line,
        });
    }
    lines.push(String::new());
    lines
}

fn sum(score: &Score, options: &ConsoleOptions) -> Vec<String> {
    let (word, tone) = match score.exit() {
        Exit::Holds => ("KILLED", Tone::Good),
        Exit::Violated => ("SURVIVED", Tone::Bad),
        _ => ("NO RESULT", Tone::Bad),
    };
    let word = options.colour.paint(tone, word);
    let mut lines = vec![format!("{word}  {}", headline(score))];
    if score.killable_live > 0 {
        let (killed, all) = (score.killed_live, score.killable_live);
        lines.push(format!("{INDENT}live        {killed} of {all} killed on the cluster"));
    }
    let idle: Vec<&str> = score.idle().collect();
    if !idle.is_empty() {
        let text = format!("{}: {}", counted(idle.len(), "scenario"), idle.join(", "));
        lines.push(format!(
            "{INDENT}idle        {text}: no mutant of this run shows that they can go red"
        ));
    }
    lines
}

fn headline(score: &Score) -> String {
    let Score { killed, killable, equivalent, not_run, .. } = score;
    format!(
        "{killed} of {killable} mutants that can be killed are; {equivalent} change nothing, \
         {not_run} not run"
    )
}

/// For a pull request: the sum, survivors, scores; every mutant behind a fold.
pub fn markdown(events: &[Event]) -> String {
    let view = RunView::of(events);
    let score = Score::of(events);
    let mut text = format!("### Mutants: {}\n\n", escape(&headline(&score)));
    let survived: Vec<&&MutantResult> =
        view.mutants.iter().filter(|one| whole(one) == Whole::Survived).collect();
    if !survived.is_empty() {
        text.push_str("| survived | where | change | seen |\n|---|---|---|---|\n");
        for mutant in survived {
            let seen = match &mutant.live {
                Fate::Survived { reason } => reason,
                _ => reason(&mutant.offline),
            };
            let place = code(&clean(&mutant.location.to_string()));
            let words = [&mutant.change, seen].map(|word| escape(&clean(word)));
            let [change, seen] = words;
            text.push_str(&row([code(&clean(&mutant.name)), place, change, seen]));
        }
        text.push('\n');
    }
    text.push_str("| scenario or defect | offline | alone | live |\n|---|--:|--:|--:|\n");
    for one in &score.witnesses {
        let numbers = [one.killed, one.alone, one.killed_live].map(|count| count.to_string());
        text.push_str(&row([code(&clean(&one.name))].into_iter().chain(numbers)));
    }
    let mut all = String::from("| mutant | offline | live | by |\n|---|---|---|---|\n");
    for mutant in &view.mutants {
        let by = match (&mutant.offline, &mutant.live) {
            (Fate::Killed { by, .. }, _) | (_, Fate::Killed { by, .. }) => code(&clean(by)),
            _ => String::new(),
        };
        let [offline, live] = [&mutant.offline, &mutant.live].map(|fate| fate.word().to_string());
        all.push_str(&row([code(&clean(&mutant.name)), offline, live, by]));
    }
    text.push('\n');
    text.push_str(&details(&format!("all {} mutants", view.mutants.len()), &all));
    text
}

/// For a program.
pub fn json(events: &[Event]) -> Result<String, ReportError> {
    #[derive(Serialize)]
    struct Whole<'a> {
        score: Score,
        mutants: Vec<&'a MutantResult>,
    }
    let view = RunView::of(events);
    object::text(&Whole { score: Score::of(events), mutants: view.mutants })
}

#[cfg(test)]
#[path = "mutation_tests.rs"]
mod tests;
