//! Statements about counts that claim no more than was seen.

/// `0 leaks in n probes`, with the upper bound of the rate at 95 % confidence.
///
/// With no leak the bound is the rule of three, 3/n (Hanley and Lippman-Hand,
/// "If nothing goes wrong, is everything all right?", JAMA 1983); with a leak no bound is given,
/// because one leak is already a violation.
pub fn leaks(leaks: usize, probes: usize) -> String {
    if probes == 0 {
        return "no probe was told, so nothing is known".to_string();
    }
    let word = if leaks == 1 { "leak" } else { "leaks" };
    let said = format!("{leaks} {word} in {probes} probes");
    match leaks {
        0 => format!("{said} ({})", bound(probes)),
        _ => said,
    }
}

fn bound(probes: usize) -> String {
    if probes < 30 {
        // Below thirty probes the rule of three is no approximation any more.
        return "too few for a bound".to_string();
    }
    let hundredths = 30_000_usize.div_ceil(probes);
    format!("below {}.{:02} % with 95 % confidence", hundredths / 100, hundredths % 100)
}

/// The median, the 99th percentile and the maximum of numbers in any order, by nearest rank;
/// `None` of none.
pub fn percentiles(numbers: &[u64]) -> Option<(u64, u64, u64)> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    let rank = |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).max(1) - 1);
    Some((*rank(50)?, *rank(99)?, *sorted.last()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, 0, "no probe was told, so nothing is known")]
    #[case(0, 12, "0 leaks in 12 probes (too few for a bound)")]
    #[case(0, 300, "0 leaks in 300 probes (below 1.00 % with 95 % confidence)")]
    #[case(0, 30_000, "0 leaks in 30000 probes (below 0.01 % with 95 % confidence)")]
    #[case(1, 300, "1 leak in 300 probes")]
    fn says_no_more_than_was_seen(
        #[case] seen: usize,
        #[case] probes: usize,
        #[case] expected: &str,
    ) {
        assert_eq!(leaks(seen, probes), expected);
    }

    #[test]
    fn percentiles_are_numbers_that_were_measured() {
        assert_eq!(percentiles(&[]), None);
        assert_eq!(percentiles(&[7]), Some((7, 7, 7)));
        let hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(percentiles(&hundred), Some((50, 99, 100)));
    }
}
