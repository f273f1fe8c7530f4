//! What the cluster's name server lets through and tells.
//!
//! A tunnel is measured and not argued about: a pod of the tenant asks the name server of its own
//! `/etc/resolv.conf` for texts in a zone that the name server forwards to ours, with as many
//! bytes in each name as a name holds, and our name server's receipts say how many arrived.

use std::collections::HashSet;
use std::time::Duration;

use partywall_agent::protocol::{
    Ask, DnsAnswer, DnsQuestion, DnsRecord, DnsReply, DnsRequest, Outcome, Reply,
};
use partywall_core::inventory::{Inventory, NAME_ZONE, PodName, Role};
use partywall_core::observation::{DnsObservation, DnsTally, Observation};
use partywall_core::probe::{DnsAsk, DnsProbe};

use super::streams::Streams;
use crate::random::nonce;
use crate::wait::{Poll, Wait, WaitError, until};

/// Questions of one tunnel; enough for a rate, and over within a second or two.
const QUESTIONS: usize = 200;
/// Of the control, which only shows that the way is there.
const CONTROL_QUESTIONS: usize = 20;
const CONTROL_ARRIVED: usize = 18;
const AT_ONCE: u16 = 32;
const ANSWER_LIMIT_MS: u64 = 2000;
const LIMIT: Duration = Duration::from_secs(40);
/// A name server reads its configuration anew within this time.
const ZONE_WAIT: Wait = Wait::seconds(100).every(Duration::from_secs(2));
/// Labels of a name before the nonce, and letters in each. A whole name has 253 at most.
const LABELS: usize = 3;
const LABEL_LENGTH: usize = 60;
/// Bits that one letter of a name carries, capitals and small ones being the same.
const BITS_A_LETTER: usize = 5;

/// Put these probes.
pub(super) async fn observe(
    streams: &Streams,
    inventory: &Inventory,
    probes: &[(usize, &DnsProbe)],
) -> Vec<(usize, Observation)> {
    let mut seen = Vec::with_capacity(probes.len());
    if probes.is_empty() {
        return seen;
    }
    let client = inventory.with_role(Role::OpenClient).next();
    let server = inventory.with_role(Role::NameServer).next();
    let (Some(client), Some(server)) = (client, server) else {
        let detail = "the harness's client and name server do not stand".to_string();
        let failed = |(index, _): &(usize, &DnsProbe)| {
            (*index, Observation::Failed { detail: detail.clone() })
        };
        return probes.iter().map(failed).collect();
    };
    let asker = Asker { streams, authority: &server.name };
    let control = if probes.iter().any(|(_, probe)| probe.ask == DnsAsk::Tunnel) {
        asker.tunnel_of_control(&client.name).await
    } else {
        Ok(Tally::default())
    };
    for (index, probe) in probes {
        let observation = match probe.ask {
            DnsAsk::Tunnel => asker.tunnel_beside(probe, control.clone()).await,
            DnsAsk::OtherNames => asker.names_beside(probe, &client.name).await,
        };
        let observation =
            observation.map_or_else(|detail| Observation::Failed { detail }, Observation::Dns);
        seen.push((*index, observation));
    }
    seen
}

/// A tally and the name server that was asked.
#[derive(Clone, Debug, Default)]
struct Tally {
    server: String,
    tally: DnsTally,
}

struct Asker<'a> {
    streams: &'a Streams,
    /// Our name server, where what is forwarded arrives.
    authority: &'a PodName,
}

impl Asker<'_> {
    /// Of a client without policies. The name server may have to read its configuration first.
    async fn tunnel_of_control(&self, client: &PodName) -> Result<Tally, String> {
        let waited = until("a question in our zone to arrive", ZONE_WAIT, || async {
            match self.tunnel(client, CONTROL_QUESTIONS).await {
                // Each of the name server's pods reads its configuration for itself.
                Ok(found) if found.tally.arrived >= CONTROL_ARRIVED => Poll::Ready(found),
                Ok(found) => {
                    let DnsTally { arrived, asked, .. } = found.tally;
                    Poll::not_yet(format!(
                        "{arrived} of {asked} arrived: {}",
                        found.tally.told.join(", ")
                    ))
                }
                Err(detail) => Poll::Failed(detail),
            }
        });
        match waited.await {
            Ok(found) => Ok(found),
            Err(WaitError::Failed(detail)) => Err(detail),
            Err(WaitError::TimedOut { last, .. }) => {
                let tally = DnsTally { told: vec![last.status], ..DnsTally::default() };
                Ok(Tally { server: String::new(), tally })
            }
        }
    }

    async fn tunnel_beside(
        &self,
        probe: &DnsProbe,
        control: Result<Tally, String>,
    ) -> Result<DnsObservation, String> {
        let control = control?.tally;
        let Tally { server, tally } = self.tunnel(&probe.from, QUESTIONS).await?;
        Ok(DnsObservation { server, seen: tally, control })
    }

    async fn names_beside(
        &self,
        probe: &DnsProbe,
        client: &PodName,
    ) -> Result<DnsObservation, String> {
        let questions = |names: &[String]| -> Vec<DnsQuestion> {
            let question = |name: &String| DnsQuestion { name: name.clone(), record: DnsRecord::A };
            names.iter().map(question).collect()
        };
        let control = tally(&self.ask(client, questions(&probe.names)).await?, &probe.names);
        let reply = self.ask(&probe.from, questions(&probe.names)).await?;
        let seen = tally(&reply, &probe.names);
        Ok(DnsObservation { server: reply.server, seen, control })
    }

    /// Sends names that carry bytes, and reads at our name server which of them arrived.
    async fn tunnel(&self, client: &PodName, count: usize) -> Result<Tally, String> {
        let mut nonces = Vec::with_capacity(count);
        for _question in 0..count {
            nonces.push(nonce().map_err(|error| error.to_string())?);
        }
        let names: Vec<String> = nonces.iter().map(|nonce| carrying(nonce)).collect();
        let question = |name: &String| DnsQuestion { name: name.clone(), record: DnsRecord::Txt };
        let reply = self.ask(client, names.iter().map(question).collect()).await?;
        let mut tally = tally(&reply, &names);
        tally.arrived = self.arrived(nonces).await?;
        tally.bytes_out = (tally.arrived * LABELS * LABEL_LENGTH * BITS_A_LETTER / 8) as u64;
        // Which name carried what is nothing to show.
        tally.told =
            reply.answers.first().map(|answer| answer.detail.clone()).into_iter().collect();
        Ok(Tally { server: reply.server, tally })
    }

    async fn ask(&self, client: &PodName, questions: Vec<DnsQuestion>) -> Result<DnsReply, String> {
        let request =
            DnsRequest { server: None, questions, at_once: AT_ONCE, timeout_ms: ANSWER_LIMIT_MS };
        match self.streams.ask_one(client, Ask::Dns(request), LIMIT).await? {
            Reply::Dns(reply) => Ok(reply),
            _ => Err("the agent answered another question".to_string()),
        }
    }

    async fn arrived(&self, nonces: Vec<String>) -> Result<usize, String> {
        let wanted: HashSet<String> = nonces.iter().cloned().collect();
        match self.streams.ask_one(self.authority, Ask::Receipts { nonces }, LIMIT).await? {
            Reply::Receipts(receipts) => {
                let seen = receipts.into_iter().filter_map(|receipt| receipt.nonce);
                // A name server may ask again where an answer was lost.
                Ok(seen.filter(|nonce| wanted.contains(nonce)).collect::<HashSet<_>>().len())
            }
            _ => Err("the agent answered another question".to_string()),
        }
    }
}

/// A name in our zone that carries as many bytes as fit, and its nonce.
fn carrying(nonce: &str) -> String {
    let label: String = nonce.chars().cycle().take(LABEL_LENGTH).collect();
    let load = vec![label; LABELS].join(".");
    format!("{load}.{nonce}.{NAME_ZONE}")
}

fn tally(reply: &DnsReply, names: &[String]) -> DnsTally {
    let is_told =
        |answer: &&DnsAnswer| answer.outcome == Outcome::Reached && !answer.records.is_empty();
    let told: Vec<String> = names
        .iter()
        .zip(&reply.answers)
        .filter(|(_, answer)| is_told(answer))
        .map(|(name, answer)| format!("{name} {}", answer.records.join(" ")))
        .collect();
    let answered = told.len();
    let first = reply.answers.first().map(|answer| answer.detail.clone());
    DnsTally {
        asked: names.len(),
        answered,
        arrived: 0,
        bytes_out: 0,
        bytes_in: reply.answers.iter().map(|answer| answer.text_bytes).sum(),
        elapsed_us: reply.elapsed_us,
        told: if told.is_empty() { first.into_iter().collect() } else { told },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_carries_what_a_name_can() {
        let name = carrying("0123456789abcdef0123456789abcdef");
        assert!((230..=253).contains(&name.len()), "{}", name.len());
        assert!(name.split('.').all(|label| label.len() <= 63));
        assert!(name.ends_with(".0123456789abcdef0123456789abcdef.partywall.test"));
    }

    #[test]
    fn names_that_are_told_are_counted_and_shown() {
        let answer = |records: &[&str]| DnsAnswer {
            outcome: Outcome::Reached,
            detail: "Non-Existent Domain".to_string(),
            records: records.iter().map(ToString::to_string).collect(),
            text_bytes: 0,
        };
        let reply = DnsReply {
            server: "10.96.0.10:53".to_string(),
            answers: vec![answer(&["10.96.3.4"]), answer(&[])],
            elapsed_us: 1000,
        };
        let names = ["db.b".to_string(), "web.b".to_string()];
        let found = tally(&reply, &names);
        assert_eq!((found.asked, found.answered), (2, 1));
        assert_eq!(found.told, ["db.b 10.96.3.4"]);
    }
}
