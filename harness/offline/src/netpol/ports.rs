//! Sets of ports.

use std::fmt;

const FIRST: u16 = 1;
const LAST: u16 = u16::MAX;

/// What policies can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// The default where a policy or a container names none.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    /// As the API writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }

    /// From the API's word, in capitals only.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.word() == word)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

/// Ports of one protocol that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortRange {
    /// Their protocol.
    pub protocol: Protocol,
    /// The first.
    pub first: u16,
    /// The last, itself a part.
    pub last: u16,
}

impl PortRange {
    /// Every port of a protocol.
    pub const fn every(protocol: Protocol) -> Self {
        Self { protocol, first: FIRST, last: LAST }
    }

    fn common(self, other: Self) -> Option<Self> {
        let first = self.first.max(other.first);
        let last = self.last.min(other.last);
        let is_some = self.protocol == other.protocol && first <= last;
        is_some.then_some(Self { protocol: self.protocol, first, last })
    }
}

/// `8000/TCP`, `80-90/TCP`, `TCP`.
impl fmt::Display for PortRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, first, last } = self;
        if *self == Self::every(*protocol) {
            write!(formatter, "{protocol}")
        } else if first == last {
            write!(formatter, "{first}/{protocol}")
        } else {
            write!(formatter, "{first}-{last}/{protocol}")
        }
    }
}

/// A set of ports: ranges that are sorted and apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortSet(Vec<PortRange>);

impl PortSet {
    /// No port.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Every port of every protocol.
    pub fn all() -> Self {
        Self(Protocol::ALL.into_iter().map(PortRange::every).collect())
    }

    /// One port.
    pub fn single(protocol: Protocol, number: u16) -> Self {
        Self(vec![PortRange { protocol, first: number, last: number }])
    }

    /// Of ranges in any order, which may overlap.
    pub fn of(ranges: impl IntoIterator<Item = PortRange>) -> Self {
        let mut ranges: Vec<PortRange> = ranges.into_iter().collect();
        ranges.sort_unstable();
        let mut merged: Vec<PortRange> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last)
                    if last.protocol == range.protocol
                        && range.first <= last.last.saturating_add(1) =>
                {
                    last.last = last.last.max(range.last);
                }
                _ => merged.push(range),
            }
        }
        Self(merged)
    }

    /// Its ranges, sorted.
    pub fn ranges(&self) -> &[PortRange] {
        &self.0
    }

    /// Whether it has no port.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it has this port.
    pub fn contains(&self, protocol: Protocol, number: u16) -> bool {
        let has = |range: &PortRange| {
            range.protocol == protocol && (range.first..=range.last).contains(&number)
        };
        self.0.iter().any(has)
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::of(self.0.iter().chain(&other.0).copied())
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let common = |one: &PortRange| {
            let one = *one;
            other.0.iter().filter_map(move |two| one.common(*two))
        };
        Self::of(self.0.iter().flat_map(common))
    }

    /// What is in this one alone.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let left = self.0.iter().flat_map(|range| {
            let mut pieces = Vec::new();
            let mut next = u32::from(range.first);
            for taken in other.0.iter().filter_map(|taken| range.common(*taken)) {
                if next < u32::from(taken.first) {
                    pieces.push((next, u32::from(taken.first) - 1));
                }
                next = u32::from(taken.last) + 1;
            }
            pieces.push((next, u32::from(range.last)));
            let protocol = range.protocol;
            pieces.into_iter().filter_map(move |(first, last)| {
                let first = u16::try_from(first).ok()?;
                let last = u16::try_from(last).ok()?;
                (first <= last).then_some(PortRange { protocol, first, last })
            })
        });
        Self::of(left)
    }
}

/// `4317-4318/TCP, 53/UDP`; `all ports` and `no port`.
impl fmt::Display for PortSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return formatter.write_str("no port");
        }
        if *self == Self::all() {
            return formatter.write_str("all ports");
        }
        for (index, range) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(formatter, "{comma}{range}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set() -> impl Strategy<Value = PortSet> {
        let range = (0..3_usize, 1..=40_u16, 0..=6_u16).prop_map(|(protocol, first, length)| {
            // The upper end is where arithmetic on ports overflows.
            let first = if first > 36 { LAST - (40 - first) } else { first };
            let last = first.saturating_add(length);
            PortRange { protocol: Protocol::ALL[protocol], first, last }
        });
        prop::collection::vec(range, 0..6).prop_map(PortSet::of)
    }

    proptest! {
        #[test]
        fn is_a_set(one in set(), two in set()) {
            let union = one.union(&two);
            let both = one.intersection(&two);
            let left = one.difference(&two);
            let ports = (1..60).chain(LAST - 60..=LAST);
            for (protocol, number) in Protocol::ALL.into_iter().flat_map(|protocol| {
                ports.clone().map(move |number| (protocol, number))
            }) {
                let in_one = one.contains(protocol, number);
                let in_two = two.contains(protocol, number);
                prop_assert_eq!(union.contains(protocol, number), in_one || in_two);
                prop_assert_eq!(both.contains(protocol, number), in_one && in_two);
                prop_assert_eq!(left.contains(protocol, number), in_one && !in_two);
            }
            prop_assert_eq!(both.union(&left), one);
        }
    }

    #[test]
    fn reads_like_a_list() {
        let range = |first, last| PortRange { protocol: Protocol::Tcp, first, last };
        let set = PortSet::of([range(4318, 4318), range(8000, 8000), range(4317, 4317)]);
        assert_eq!(set.to_string(), "4317-4318/TCP, 8000/TCP");
        assert_eq!(PortSet::all().to_string(), "all ports");
        assert_eq!(PortSet::none().to_string(), "no port");
        assert_eq!(PortSet::of([PortRange::every(Protocol::Udp)]).to_string(), "UDP");
    }
}
