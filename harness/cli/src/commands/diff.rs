//! `partywall diff`: what a change opens and closes.

use std::path::Path;
use std::thread;

use partywall_core::Exit;
use partywall_offline::cluster::{OfflineCluster, Surroundings};
use partywall_offline::difference::{self, Difference, End, difference};
use partywall_report::diff::{Change, Flow, OrgChange, SecretChange, json, markdown, text};
use partywall_runner::Rendering;

use crate::args::{Diff, TextFormat};
use crate::failure::Failure;
use crate::offline::{Opened, open_at, rendering};
use crate::project::default_layout;
use crate::{print, reports};

/// What the working tree is called.
const WORKING_TREE: &str = "working tree";

/// Run `partywall diff`.
pub fn diff(arguments: &Diff) -> Result<Exit, Failure> {
    let (base, head) = range(&arguments.range)?;
    let directory = match &arguments.layout {
        Some(layout) => layout.clone(),
        None => default_layout()?,
    };
    let rendering = rendering(None, true)?;
    let (before, after) = both(&directory, (base, head), &rendering)?;
    let change = change((base, head.unwrap_or(WORKING_TREE)), compared(&before, &after));
    let said = match arguments.format {
        TextFormat::Text => text(&change, &reports::console_options()),
        TextFormat::Markdown => markdown(&change),
        TextFormat::Json => json(&change).map_err(Failure::environment)?,
    };
    print::result(&said);
    Ok(exit(&change))
}

/// The revisions of `BASE..HEAD`; none is the working tree.
fn range(text: &str) -> Result<(&str, Option<&str>), Failure> {
    let malformed = || {
        Failure::usage(format!(
            "`{text}` is no range of revisions\nhint: write BASE..HEAD, as in main..my-branch, or \
             BASE.. for what is in the working tree"
        ))
    };
    let (base, head) = text.split_once("..").ok_or_else(malformed)?;
    let (base, head) = (base.trim(), head.trim());
    if base.is_empty() || head.starts_with('.') || head.contains("..") {
        return Err(malformed());
    }
    Ok((base, (!head.is_empty()).then_some(head)))
}

/// What a main thread has: the reader of YAML goes down a document on the stack.
const STACK_BYTES: usize = 16 << 20;

/// Read and render both revisions, side by side.
fn both(
    directory: &Path,
    (base, head): (&str, Option<&str>),
    rendering: &Rendering,
) -> Result<(Opened, Opened), Failure> {
    let open = |revision: Option<&str>| open_at(directory, revision, None, rendering);
    let (before, after) = thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(STACK_BYTES);
        let before = builder.spawn_scoped(scope, || open(Some(base)))?;
        let after = open(head);
        Ok::<_, Failure>((before.join(), after))
    })?;
    let before = before.map_err(|_| Failure::environment("reading the first revision failed"))?;
    Ok((before?, after?))
}

fn compared(before: &Opened, after: &Opened) -> Difference {
    let around = |opened: &Opened| {
        Surroundings::assumed(&opened.files.project.contract, &opened.judgeable.rendered)
    };
    let (before_around, after_around) = (around(before), around(after));
    let (base, head) = (before.cluster(&before_around), after.cluster(&after_around));
    difference(&end(before, &base), &end(after, &head))
}

fn end<'a>(opened: &'a Opened, cluster: &'a OfflineCluster<'a>) -> End<'a> {
    let mut defects = opened.judgeable.deployed.defects.clone();
    defects.extend(opened.judgeable.findings.iter().cloned());
    End {
        layout: &opened.files.project.layout,
        cluster,
        defects,
        not_judged: opened.files.not_judged.clone(),
    }
}

/// The difference as reports have it.
fn change((base, head): (&str, &str), found: Difference) -> Change {
    Change {
        base: base.to_string(),
        head: head.to_string(),
        opened: found.opened.into_iter().map(flow).collect(),
        closed: found.closed.into_iter().map(flow).collect(),
        secrets: found.secrets.into_iter().map(secret).collect(),
        orgs: found.orgs.into_iter().map(org).collect(),
        defects_added: found.defects_added,
        defects_removed: found.defects_removed,
        not_judged: found.not_judged,
    }
}

fn flow(found: difference::FlowChange) -> Flow {
    let difference::FlowChange { from, to, ports, contracted, because } = found;
    Flow { from, to, ports, contracted, because }
}

fn secret(found: difference::SecretChange) -> SecretChange {
    let difference::SecretChange { tenant, subject, before, after, contracted, because } = found;
    SecretChange { tenant, subject, before, after, contracted, because }
}

fn org(found: difference::OrgChange) -> OrgChange {
    let difference::OrgChange { tenant, signal, before, after, contracted, because } = found;
    OrgChange { tenant, signal, before, after, contracted, because }
}

fn exit(change: &Change) -> Exit {
    match (change.breaks_contract(), change.not_judged.is_empty()) {
        (true, _) => Exit::Violated,
        (false, false) => Exit::Undetermined,
        (false, true) => Exit::Holds,
    }
}
