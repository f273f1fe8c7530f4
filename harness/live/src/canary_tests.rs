use std::collections::BTreeSet;

use super::*;

const NODES: [&str; 2] = ["one", "two"];
const SOON: Duration = Duration::from_millis(120);

/// Two nodes, of which some enforce what is applied to their own pods, from some round on.
struct World {
    /// Whose pods are under the policy: the servers' or the clients'.
    side: &'static str,
    enforcing: BTreeSet<&'static str>,
    /// Rounds until they do.
    delay: usize,
    /// Whether the clients' own answers are lost, so that only receipts tell.
    is_deaf: bool,
}

impl Volleys for World {
    async fn round(&mut self) -> Result<Vec<Shot>, CanaryError> {
        let realised = self.delay == 0;
        self.delay = self.delay.saturating_sub(1);
        let mut shots = Vec::new();
        for from in NODES {
            for to in NODES {
                let judge = if self.side == "ingress" { to } else { from };
                let open = !(realised && self.enforcing.contains(judge));
                for transport in [Transport::Tcp, Transport::Udp] {
                    shots.push(Shot {
                        from: from.to_string(),
                        to: to.to_string(),
                        transport,
                        came_through: open && !self.is_deaf,
                        arrived: open,
                    });
                }
            }
        }
        Ok(shots)
    }
}

fn world(side: &'static str, enforcing: &[&'static str]) -> World {
    World { side, enforcing: enforcing.iter().copied().collect(), delay: 0, is_deaf: false }
}

async fn complaint(mut world: World) -> String {
    let side = world.side;
    closed(&mut world, side, SOON).await.unwrap_err().to_string()
}

#[tokio::test]
async fn it_bites_when_every_node_enforces() {
    for side in ["ingress", "egress"] {
        let mut world = World { delay: 1, ..world(side, &NODES) };
        let seconds = closed(&mut world, side, Duration::from_secs(5)).await.unwrap();
        assert!(seconds > 0.0, "it was seen open first");
    }
}

#[tokio::test]
async fn one_of_two_nodes_that_does_not_enforce_is_named() {
    let ingress = complaint(world("ingress", &["one"])).await;
    let open = "these came through: TCP one to two, UDP one to two, TCP two to two, UDP two to two";
    assert!(ingress.contains(open), "{ingress}");
    let egress = complaint(world("egress", &["one"])).await;
    let open = "these came through: TCP two to one, UDP two to one, TCP two to two, UDP two to two";
    assert!(egress.contains(open), "{egress}");
    assert!(egress.contains("did not bite"), "{egress}");
}

#[tokio::test]
async fn a_lost_reply_is_no_bite() {
    let deaf = World { is_deaf: true, ..world("ingress", &[]) };
    assert!(complaint(deaf).await.contains("these came through: TCP one to one"));
}

#[tokio::test]
async fn a_round_without_a_shot_is_no_bite() {
    struct Nobody;
    impl Volleys for Nobody {
        async fn round(&mut self) -> Result<Vec<Shot>, CanaryError> {
            Ok(Vec::new())
        }
    }
    assert!(closed(&mut Nobody, "ingress", SOON).await.is_err());
}
