use super::*;
use partywall_core::event::Blame;
use proptest::prelude::*;

fn flow(from: &str, to: &str, because: &str, file: &str) -> Flow {
    Flow {
        from: from.to_string(),
        to: to.to_string(),
        ports: vec!["5432/TCP".to_string()],
        contracted: false,
        because: (!because.is_empty()).then(|| Blame {
            location: SourceLocation::new(file, 3),
            because: because.to_string(),
        }),
    }
}

fn lines(flows: &[Flow]) -> Vec<String> {
    let line = |group: &Group| format!("{} → {} ({})", group.from, group.to, group.count);
    group(flows.iter()).iter().map(line).collect()
}

#[test]
fn one_mistake_in_every_folder_is_one_line_with_every_place() {
    let of = |tenant: &str| {
        let because = format!("allow-all of {tenant} has no selector");
        flow(&format!("{tenant}/web"), "shared/db", &because, &format!("{tenant}/np.yaml"))
    };
    let groups = group([of("a"), of("b"), of("c")].iter());
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].from, "web of each of a, b, c");
    assert_eq!(groups[0].because, "allow-all of <from> has no selector");
    assert_eq!(groups[0].places.len(), 3);
}

#[test]
fn everybody_to_everybody_else_is_one_line() {
    let tenants = ["a", "b", "c"];
    let mut flows = Vec::new();
    for from in tenants {
        for to in tenants.into_iter().filter(|to| *to != from) {
            for name in ["db", "web"] {
                flows.push(flow(&format!("{from}/web"), &format!("{to}/{name}"), "", ""));
            }
        }
    }
    assert_eq!(lines(&flows), ["web of each of a, b, c → db, web of each other (12)"]);
    flows.pop();
    assert_ne!(lines(&flows).len(), 1, "a hole is not covered up");
}

#[test]
fn each_to_itself_is_one_line() {
    let flows = ["a", "b"].map(|it| flow(&format!("{it}/web"), &format!("{it}/db"), "", ""));
    assert_eq!(lines(&flows), ["web of each of a, b → db of its own namespace (2)"]);
}

#[test]
fn different_reasons_stay_apart() {
    let flows = [flow("a/web", "s/db", "one", "x"), flow("b/web", "s/db", "two", "x")];
    assert_eq!(lines(&flows).len(), 2);
}

proptest! {
    /// However flows are put together, the lines stand for exactly those flows.
    #[test]
    fn no_flow_is_lost_or_made_up(
        pairs in proptest::collection::btree_set(("[ab]/[xy]", "[abc]/[xyz]|node"), 0..20)
    ) {
        let flows: Vec<Flow> = pairs.iter().map(|(from, to)| flow(from, to, "", "")).collect();
        let total: usize = group(flows.iter()).iter().map(|group| group.count).sum();
        prop_assert_eq!(total, flows.len());
    }
}
