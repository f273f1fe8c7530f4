//! Trials that cannot be asked where the pods stand. They are listed as ignored with the reason,
//! and never count as holding.

use super::trial::Trial;
use crate::contract::{Contract, Secrets};
use crate::inventory::{Inventory, Lacks};
use crate::port::Transport;
use crate::probe::{Asker, DnsAsk, SecretAsk};
use crate::scenario::{Family, Party, Question, Reach};

/// Why a trial cannot be asked here; `None` where it can.
pub fn lack(trial: &Trial, contract: &Contract, inventory: &Inventory) -> Option<String> {
    let lacks = &inventory.lacks;
    match &trial.scenario.probe {
        Question::Reach(reach) => lack_of_reach(reach, inventory),
        Question::Dns(dns) if dns.ask == DnsAsk::Tunnel => lacks.name_zone.clone(),
        // Every attempt is made at somebody.
        Question::Attempt(_) if contract.tenants.len() < 2 => {
            Some("not asked: the tenant has no neighbour".to_string())
        }
        Question::Access(access) if access.by == Asker::TwoOrganisations => {
            let alone = contract.tenants.len() < 2;
            alone.then(|| "not asked: there are no two organisations".to_string())
        }
        Question::DataSources(_) if !contract.has_data_sources() => {
            Some("not asked: the contract names no Grafana (`telemetry.dataSources`)".to_string())
        }
        Question::Load(_) if contract.tenants.len() < 2 => {
            Some("not asked: there is no other tenant that sends at the same time".to_string())
        }
        Question::Secret(secret) => lack_of_secret(secret.ask, trial, contract, lacks),
        _ => None,
    }
}

fn lack_of_secret(
    ask: SecretAsk,
    trial: &Trial,
    contract: &Contract,
    lacks: &Lacks,
) -> Option<String> {
    let tenant = trial.tenant(contract)?;
    let is_alike = |secrets: &Secrets| {
        let others = contract.tenants.iter().filter(|other| other.name != tenant.name);
        let mut others = others.filter_map(|other| other.secrets.as_ref());
        others.any(|other| secrets.recipients.iter().any(|one| other.recipients.contains(one)))
    };
    let takes_a_key = |secrets: &Secrets| match ask {
        SecretAsk::ArrivesDecrypted | SecretAsk::RefusesWrongKey | SecretAsk::CanariesStayPut => {
            true
        }
        // Where two have a key in common, the recipients tell.
        SecretAsk::RefusesNeighboursFile => !is_alike(secrets),
        _ => false,
    };
    let closed = tenant.secrets.as_ref().filter(|secrets| secrets.is_sealed_to_services());
    if let Some(secrets) = closed.filter(|secrets| takes_a_key(secrets)) {
        return Some(format!(
            "not judged: the files of {} are sealed to {}, which is no age key: recipients are \
             compared, and nothing is decrypted",
            tenant.name,
            secrets.recipients.join(", ")
        ));
    }
    match ask {
        SecretAsk::AsSealed => lacks.keys.get(&tenant.name).cloned(),
        SecretAsk::NothingReadableInHistory => lacks.history.clone(),
        SecretAsk::RefusesNeighboursFile => {
            let mut others = contract.tenants.iter().filter(|other| other.name != tenant.name);
            let alone = others.all(|other| other.secrets.is_none());
            alone.then(|| "not asked: no neighbour has sealed files".to_string())
        }
        _ => None,
    }
}

fn lack_of_reach(reach: &Reach, inventory: &Inventory) -> Option<String> {
    let Lacks { sctp, outside, ipv6, .. } = &inventory.lacks;
    if reach.family == Family::Ipv6 && ipv6.is_some() {
        return ipv6.clone();
    }
    let is_outside = matches!(reach.to, Party::Metadata | Party::Outside | Party::NameServers);
    if is_outside && inventory.outside.is_empty() {
        let unknown = || "no address outside of the cluster is known here".to_string();
        return Some(outside.clone().unwrap_or_else(unknown));
    }
    let over_sctp_alone = reach.transports.iter().all(|one| *one == Transport::Sctp);
    sctp.clone().filter(|_| over_sctp_alone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Backend;
    use crate::contract::Contract;
    use crate::inventory::stand_ins;
    use crate::plan::trials;
    use crate::scenario::load_scenario;
    use rstest::rstest;

    const CONTRACT: &str = "\
apiVersion: partywall.dev/v1alpha1
kind: Contract
tenants: [{name: a, namespaces: [a], org: a}]
platform: []
endpoints: {}
flows: []
";

    fn contract(text: &str) -> Contract {
        Contract::load("partywall.yaml", text).unwrap()
    }

    fn trial(probe: &str, expect: &str) -> Trial {
        let text = format!(
            "claim: x\nbecause: y\nfor: each-tenant\nprobe: {{{probe}}}\nexpect: {expect}\n\
             controls: [client-reaches-allowed, allowed-client-reaches, receipt, fence, with-org]\n"
        );
        let scenario = load_scenario("world/x.yaml", &text).unwrap();
        trials(Backend::Kind, &[scenario], &contract(CONTRACT)).remove(0)
    }

    #[rstest]
    #[case::attempts(
        "attempt: {objects: [neighbour-host]}",
        "recorded",
        "not asked: the tenant has no neighbour"
    )]
    #[case::reads(TWO, "refused", "not asked: there are no two organisations")]
    #[case::sends(
        "load: {signal: log, items: 10}",
        "own-org-only",
        "not asked: there is no other tenant that sends at the same time"
    )]
    fn one_tenant_is_not_asked_about_another(
        #[case] probe: &str,
        #[case] expect: &str,
        #[case] alone: &str,
    ) {
        let trial = trial(probe, expect);
        let inventory = Inventory::default();
        assert_eq!(lack(&trial, &contract(CONTRACT), &inventory).as_deref(), Some(alone));
        let b = "{name: a, namespaces: [a], org: a}, {name: b, namespaces: [b], org: b}";
        let two = CONTRACT.replace("{name: a, namespaces: [a], org: a}", b);
        assert_eq!(lack(&trial, &contract(&two), &inventory), None);
    }

    #[test]
    fn data_sources_are_asked_about_where_the_contract_names_them() {
        let trial = trial(SOURCES, "own-org-only");
        let why = lack(&trial, &contract(CONTRACT), &Inventory::default());
        assert!(why.is_some_and(|why| why.contains("names no Grafana")));
        let stores = "telemetry: {logs: o/loki:3100, metrics: o/mimir:9009, orgFrom: header, \
                      dataSources: o}\n";
        let contract = self::contract(&format!("{CONTRACT}{stores}"));
        assert_eq!(lack(&trial, &contract, &lacking()), None);
    }

    #[test]
    fn a_tenant_whose_neighbour_seals_nothing_copies_nothing() {
        let trial = trial("secret: {ask: refuses-neighbours-file}", "sealed");
        let inventory = Inventory::default();
        let alone = "not asked: no neighbour has sealed files";
        assert_eq!(lack(&trial, &contract(CONTRACT), &inventory).as_deref(), Some(alone));
        let b = "{name: a, namespaces: [a], org: a}, {name: b, namespaces: [b], org: b, secrets: \
                 {files: [s.yaml], recipients: [age1x], keySecret: f/k}}";
        let two = CONTRACT.replace("{name: a, namespaces: [a], org: a}", b);
        assert_eq!(lack(&trial, &contract(&two), &inventory), None);
    }

    #[rstest]
    #[case::google("projects/p/locations/l/keyRings/r/cryptoKeys/k")]
    #[case::amazon("arn:aws:kms:eu-central-1:1:key/k")]
    #[case::azure("https://v.vault.azure.net/keys/k/1")]
    #[case::openpgp("85D77543B3D624B63CEA9E6DBC17301B491B3F21")]
    fn what_a_service_opens_is_not_judged_and_says_so(#[case] key: &str) {
        let secrets = format!(
            "{{name: a, namespaces: [a], org: a, secrets: {{files: [s.yaml], recipients: ['{key}']}}}}"
        );
        let service = CONTRACT.replace("{name: a, namespaces: [a], org: a}", &secrets);
        let why = |ask: &str| {
            let trial = trial(&format!("secret: {{ask: {ask}}}"), "sealed");
            lack(&trial, &contract(&service), &Inventory::default())
        };
        let told = why("refuses-neighbours-file").unwrap();
        assert!(told.starts_with("not judged: ") && told.contains(key), "{told}");
        for ask in ["arrives-decrypted", "refuses-wrong-key", "canaries-stay-put"] {
            assert!(why(ask).is_some_and(|why| why.contains("nothing is decrypted")), "{ask}");
        }
        // Recipients and readable parts need no key.
        assert_eq!(why("nothing-readable-in-git"), None);
        assert_eq!(why("opens-with-own-key-only"), None);
    }

    fn lacking() -> Inventory {
        let why = |what: &str| Some(format!("no {what}"));
        let lacks = Lacks {
            sctp: why("SCTP"),
            ipv6: why("IPv6"),
            outside: why("addresses"),
            name_zone: why("zone"),
            keys: [("a".to_string(), "no key".to_string())].into(),
            history: why("history"),
        };
        Inventory { lacks, ..Inventory::default() }
    }

    const SOURCES: &str = "data-sources: {store: log}";
    const TWO: &str = "access: {store: log, as: two-organisations}";
    const SCTP: &str = "reach: {from: \"{tenant}\", to: open, transports: [SCTP]}";
    const IPV6: &str = "reach: {from: \"{tenant}\", to: open, family: ipv6}";
    const BOTH: &str = "reach: {from: \"{tenant}\", to: open, transports: [TCP, SCTP]}";
    const METADATA: &str = "reach: {from: \"{tenant}\", to: metadata}";
    const NAMES: &str = "reach: {from: \"{tenant}\", to: name-servers}";

    #[rstest]
    #[case(SCTP, "denied", Some("no SCTP"))]
    #[case(BOTH, "denied", None)]
    #[case(IPV6, "denied", Some("no IPv6"))]
    #[case(METADATA, "denied", Some("no addresses"))]
    #[case(NAMES, "denied", Some("no addresses"))]
    #[case("dns: {ask: tunnel}", "recorded", Some("no zone"))]
    #[case("dns: {ask: other-names}", "recorded", None)]
    #[case("secret: {ask: as-sealed}", "sealed", Some("no key"))]
    #[case("secret: {ask: nothing-readable-in-history}", "sealed", Some("no history"))]
    #[case("secret: {ask: nothing-readable-in-git}", "sealed", None)]
    fn what_cannot_be_asked_says_why(
        #[case] probe: &str,
        #[case] expect: &str,
        #[case] expected: Option<&str>,
    ) {
        let trial = trial(probe, expect);
        assert_eq!(lack(&trial, &contract(CONTRACT), &lacking()).as_deref(), expected);
        let whole = Inventory { outside: stand_ins(&[], true, true), ..Inventory::default() };
        assert_eq!(lack(&trial, &contract(CONTRACT), &whole), None);
    }
}
