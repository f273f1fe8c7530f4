use partywall_agent::protocol::Outcome;

use super::*;

fn contract() -> Contract {
    let tenant = |name: &str| format!("  - {{name: {name}, namespaces: [{name}], org: {name}}}\n");
    let text = format!(
        "apiVersion: partywall.dev/v1alpha1\nkind: Contract\ntenants:\n{}{}platform: [o]\n\
         endpoints: {{}}\nflows: []\n\
         telemetry: {{logs: o/loki:3100, metrics: o/mimir:9009, orgFrom: header}}\n",
        tenant("a"),
        tenant("b"),
    );
    Contract::load("partywall.yaml", &text).unwrap()
}

fn probe(contract: &Contract, tenant: &str, signal: Signal) -> LoadProbe {
    let tenant = contract.tenant(tenant).unwrap().clone();
    LoadProbe { tenant, signal, over: Some(Over::Grpc), items: 10 }
}

fn sent(lot: &mut Lot<'_>, accepted: u64, first_us: u64, last_us: u64) {
    let detail = String::new();
    let outcome = Outcome::Reached;
    let reply = LoadReply { sent: 10, accepted, requests: 1, outcome, detail, first_us, last_us };
    lot.reply = Ok((PodName::new(lot.tenant.name.as_str(), "open-webui"), reply));
}

#[test]
fn all_tenants_send_where_one_is_asked_about() {
    let contract = contract();
    let asked = probe(&contract, "a", Signal::Log);
    let lots = lots(&contract, &[(0, &asked)], "p");
    let names: Vec<(&str, &str)> =
        lots.iter().map(|lot| (lot.tenant.name.as_str(), lot.name.as_str())).collect();
    assert_eq!(names, [("a", "p_0x"), ("b", "p_1x")]);
    assert!(lots[0].is_of(&asked) && !lots[1].is_of(&asked));
    let request = lots[0].request("http://alloy:14317", 7);
    assert_eq!(request.emit.endpoint.as_deref(), Some("http://alloy:4317"));
    assert_eq!((request.items, request.starts_at_us), (10, 7));
}

#[test]
fn tenants_are_together_while_the_last_has_begun_and_none_has_ended() {
    let contract = contract();
    let (log, metric) = (probe(&contract, "a", Signal::Log), probe(&contract, "a", Signal::Metric));
    let mut lots = lots(&contract, &[(0, &log), (1, &metric)], "p");
    assert_eq!(together_us(&lots), 0, "nothing was sent");
    sent(&mut lots[0], 10, 100, 200);
    sent(&mut lots[1], 10, 150, 300);
    assert_eq!(together_us(&lots), 0, "one tenant alone");
    sent(&mut lots[2], 10, 200, 350);
    assert_eq!(together_us(&lots), 100);
    sent(&mut lots[3], 0, 10, 900);
    assert_eq!(together_us(&lots), 100, "what was not taken was not together with anything");
    sent(&mut lots[2], 10, 290, 400);
    assert_eq!(together_us(&lots), 0, "hardly at all");
    sent(&mut lots[2], 10, 350, 400);
    assert_eq!(together_us(&lots), 0, "one after the other");
}

#[test]
fn what_could_not_be_counted_is_not_absent() {
    let contract = contract();
    let asked = probe(&contract, "a", Signal::Log);
    let mut lots = lots(&contract, &[(0, &asked)], "p");
    sent(&mut lots[0], 10, 100, 200);
    let counted = |of: &[(&str, u64)]| {
        Ok(of.iter().map(|(name, count)| ((*name).to_string(), *count)).collect())
    };
    let of = |org: &str| (Signal::Log, org.to_string());
    let counts = Counts::from([
        (of("a"), counted(&[("p_0x", 9)])),
        (of("b"), Err("status Some(429)".to_string())),
        (of("fake"), counted(&[("p_0x", 1)])),
        (of("anonymous"), counted(&[])),
    ]);
    let facts = Facts {
        begun: Instant::now(),
        begun_us: 0,
        together_us: 5,
        visible: BTreeMap::new(),
        counts,
        sights: Sights::default(),
        problems: Vec::new(),
    };
    let Observation::Load(seen) = facts.observation(&lots[0], &[]) else { panic!("an answer") };
    let orgs: Vec<(&str, u64)> =
        seen.orgs.iter().map(|(org, sight)| (org.as_str(), sight.found)).collect();
    assert_eq!(orgs, [("a", 9), ("b", 0), ("fake", 1)]);
    assert!(seen.orgs.values().all(|sight| !sight.fence));
    assert_eq!(seen.detail, "org b could not be counted: status Some(429)");
    assert!(matches!(facts.observation(&lots[1], &[]), Observation::Failed { .. }));
}
