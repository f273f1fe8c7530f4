//! Addresses, and the blocks of them that policies name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::answer::{Answer, Doubt};

/// What is known of the addresses of a pod or node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Address {
    /// All of them.
    Known(Vec<IpAddr>),
    /// That they are private (RFC 1918, RFC 6598, RFC 4193): clusters give such addresses to
    /// pods and nodes, and no file says which.
    #[default]
    Private,
}

/// An `ipBlock`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressBlock {
    /// What it holds.
    pub cidr: IpNet,
    /// What it does not hold after all.
    pub except: Vec<IpNet>,
}

impl AddressBlock {
    /// Whether it holds an address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.cidr.contains(&address) && !self.except.iter().any(|part| part.contains(&address))
    }

    /// Whether it holds the address by which a party is met.
    pub fn holds(&self, address: &Address) -> Answer {
        let Address::Known(addresses) = address else {
            return self.holds_private();
        };
        let held = addresses.iter().filter(|address| self.contains(**address)).count();
        if held == 0 {
            Answer::No
        } else if held == addresses.len() {
            Answer::Yes
        } else {
            Answer::Unknown { reason: Doubt::OneOfItsAddresses { block: self.to_string() } }
        }
    }

    /// Whether it holds a private address of which no more is known.
    fn holds_private(&self) -> Answer {
        let kept = self.kept();
        let family = private_ranges(self.cidr);
        let part = |range: &IpNet| overlap(&kept, bounds(*range));
        if family.iter().all(|range| part(range) == Overlap::Whole) {
            Answer::Yes
        } else if family.iter().all(|range| part(range) == Overlap::None) {
            Answer::No
        } else {
            Answer::Unknown { reason: Doubt::PrivateAddress { block: self.to_string() } }
        }
    }

    /// The intervals that are left without the exceptions, sorted.
    pub(super) fn kept(&self) -> Vec<(u128, u128)> {
        let mut except: Vec<(u128, u128)> = self.except.iter().map(|part| bounds(*part)).collect();
        except.sort_unstable();
        let (mut next, last) = bounds(self.cidr);
        let mut kept = Vec::new();
        for (from, to) in except {
            if next < from {
                kept.push((next, from - 1));
            }
            // The last address there is has no successor.
            let Some(after) = to.checked_add(1) else { return kept };
            next = next.max(after);
        }
        if next <= last {
            kept.push((next, last));
        }
        kept
    }
}

/// `0.0.0.0/0 except 10.0.0.0/8, 192.168.0.0/16`.
impl fmt::Display for AddressBlock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.cidr)?;
        for (index, part) in self.except.iter().enumerate() {
            let word = if index == 0 { " except" } else { "," };
            write!(formatter, "{word} {part}")?;
        }
        Ok(())
    }
}

/// An address as a number; families are kept apart by the caller.
pub(super) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

fn bounds(network: IpNet) -> (u128, u128) {
    (number(network.network()), number(network.broadcast()))
}

#[derive(PartialEq, Eq)]
enum Overlap {
    None,
    Part,
    Whole,
}

/// How much of a range the intervals hold.
fn overlap(kept: &[(u128, u128)], (first, last): (u128, u128)) -> Overlap {
    let mut within = kept.iter().filter(|(from, to)| *from <= last && *to >= first);
    match within.next() {
        None => Overlap::None,
        // The intervals are apart, so that only one of them can hold a whole range.
        Some((from, to)) if *from <= first && *to >= last => Overlap::Whole,
        Some(_) => Overlap::Part,
    }
}

/// The private ranges of a network's family.
fn private_ranges(network: IpNet) -> Vec<IpNet> {
    let four = |a, b, prefix| Ipv4Net::new_assert(Ipv4Addr::new(a, b, 0, 0), prefix).into();
    match network {
        IpNet::V4(_) => {
            vec![four(10, 0, 8), four(172, 16, 12), four(192, 168, 16), four(100, 64, 10)]
        }
        IpNet::V6(_) => {
            vec![Ipv6Net::new_assert(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7).into()]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn block(cidr: &str, except: &[&str]) -> AddressBlock {
        AddressBlock {
            cidr: cidr.parse().unwrap(),
            except: except.iter().map(|part| part.parse().unwrap()).collect(),
        }
    }

    #[rstest]
    #[case::everywhere("0.0.0.0/0", &[], "yes")]
    #[case::everywhere_six("::/0", &[], "yes")]
    #[case::all_unique_local("fc00::/7", &[], "yes")]
    #[case::public_exception("0.0.0.0/0", &["8.8.8.0/24"], "yes")]
    #[case::link_local_exception("0.0.0.0/0", &["169.254.169.254/32"], "yes")]
    #[case::one_private_exception("0.0.0.0/0", &["10.0.0.0/8"], "unknown")]
    #[case::three_private_exceptions(
        "0.0.0.0/0", &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"], "unknown"
    )]
    #[case::every_private_exception(
        "0.0.0.0/0", &["192.168.0.0/16", "100.64.0.0/10", "10.0.0.0/8", "172.16.0.0/12"], "no"
    )]
    #[case::wider_exceptions("0.0.0.0/0", &["0.0.0.0/1", "128.0.0.0/1"], "no")]
    #[case::two_halves_of_one("10.0.0.0/8", &["10.0.0.0/9", "10.128.0.0/9"], "no")]
    #[case::a_private_part("10.0.0.0/8", &[], "unknown")]
    #[case::half_of_it("10.0.0.0/8", &["10.0.0.0/9"], "unknown")]
    #[case::public("8.8.8.8/32", &[], "no")]
    #[case::link_local("169.254.0.0/16", &[], "no")]
    #[case::loopback("127.0.0.0/8", &[], "no")]
    #[case::unique_local_excepted("::/0", &["fc00::/7"], "no")]
    #[case::to_the_last_address("::/0", &["8000::/1"], "no")]
    #[case::unique_local_half("fd00::/8", &[], "unknown")]
    #[case::six_public("2001:db8::/32", &[], "no")]
    fn private_addresses(#[case] cidr: &str, #[case] except: &[&str], #[case] expected: &str) {
        let answer = match block(cidr, except).holds(&Address::Private) {
            Answer::Yes => "yes",
            Answer::No => "no",
            Answer::Unknown { .. } => "unknown",
        };
        assert_eq!(answer, expected);
    }

    #[rstest]
    #[case(&["10.1.2.3"], Answer::Yes)]
    #[case(&["10.128.2.3"], Answer::No)]
    #[case(&["11.0.0.1"], Answer::No)]
    #[case(&["fd00::1"], Answer::No)]
    #[case(&[], Answer::No)]
    #[case(
        &["10.1.2.3", "fd00::1"],
        Answer::Unknown {
            reason: Doubt::OneOfItsAddresses { block: "10.0.0.0/8 except 10.128.0.0/9".to_string() }
        }
    )]
    fn known_addresses(#[case] addresses: &[&str], #[case] expected: Answer) {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let block = block("10.0.0.0/8", &["10.128.0.0/9"]);
        assert_eq!(block.holds(&Address::Known(addresses)), expected);
    }
}
