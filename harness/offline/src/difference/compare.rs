//! Everything of two revisions, compared.

use super::because::Scene;
use super::defects::{added, not_judged, of_end};
use super::end::{Both, End};
use super::flows::{Comparison, Flows};
use super::inhabitants::{Asked, Inhabitants, Names};
use super::model::{Difference, FlowChange};
use super::orgs::orgs;
use super::pairs::pairs;
use super::secrets::secrets;

/// What a change from one revision to another opens and closes.
pub fn difference(base: &End<'_>, head: &End<'_>) -> Difference {
    let ends = Both { base, head };
    let flows = flows(ends);
    let (orgs, unknown) = orgs(ends);
    let (before, after) = (of_end(base), of_end(head));
    let mut not_judged = not_judged(ends);
    for one in flows.not_judged.into_iter().chain(unknown) {
        if !not_judged.contains(&one) {
            not_judged.push(one);
        }
    }
    Difference {
        opened: sorted(flows.opened),
        closed: sorted(flows.closed),
        secrets: secrets(ends),
        orgs,
        defects_added: added(&before, &after),
        defects_removed: added(&after, &before),
        not_judged,
    }
}

fn flows(ends: Both<&End<'_>>) -> Flows {
    let contracts = ends.map(|end| end.cluster.contract());
    let asked = Asked::new(ends.map(|end| end.cluster));
    let mut names = Names::default();
    let inhabitants = ends.map(|end| Inhabitants::new(end.cluster, &asked, &mut names));
    let scenes = ends.zip(inhabitants.as_ref());
    let scenes = scenes.map(|(end, inhabitants)| Scene { cluster: end.cluster, inhabitants });
    let pairs = scenes.map(|scene| pairs(scene.cluster, scene.inhabitants));
    let comparison = Comparison { names: &names, scenes, contracts };
    let mut flows = comparison.pairs(pairs.as_ref());
    comparison.outside(&mut flows);
    flows
}

fn sorted(mut flows: Vec<FlowChange>) -> Vec<FlowChange> {
    flows.sort_by(|one, other| {
        (&one.from, &one.to, &one.ports).cmp(&(&other.from, &other.to, &other.ports))
    });
    flows
}
