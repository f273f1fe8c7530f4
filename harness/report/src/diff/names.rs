//! Naming many workloads in one phrase.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// Namespaces or workloads that are named before the rest is counted.
const NAMES_MAX: usize = 6;

/// A namespace, empty where there is none, and a name in it.
pub(super) type Name<'a> = (&'a str, &'a str);

/// A workload's name in its parts. An address range is no namespace.
pub(super) fn split(name: &str) -> Name<'_> {
    match name.split_once('/') {
        Some((namespace, own)) if namespace.parse::<IpAddr>().is_err() => (namespace, own),
        _ => ("", name),
    }
}

/// These workloads, each in all of these namespaces.
pub(super) fn phrase(namespaces: &BTreeSet<&str>, names: &BTreeSet<&str>) -> String {
    let own = list(names);
    match (namespaces.first(), namespaces.len(), names.len()) {
        (None | Some(&""), _, _) => own,
        (Some(namespace), 1, 1) => format!("{namespace}/{own}"),
        (Some(namespace), 1, _) => format!("{own} of {namespace}"),
        _ => format!("{own} of {}", each_of(namespaces)),
    }
}

/// `customer-a`, or `each of customer-a, customer-b`.
pub(super) fn each_of(names: &BTreeSet<&str>) -> String {
    if names.len() == 1 { list(names) } else { format!("each of {}", list(names)) }
}

fn list(names: &BTreeSet<&str>) -> String {
    let shown: Vec<&str> = names.iter().take(NAMES_MAX).copied().collect();
    match names.len().saturating_sub(NAMES_MAX) {
        0 => shown.join(", "),
        more => format!("{}, … and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&["a"], &["web"], "a/web")]
    #[case(&["a", "b"], &["web"], "web of each of a, b")]
    #[case(&["a"], &["db", "web"], "db, web of a")]
    #[case(&[""], &["apiserver"], "apiserver")]
    #[case(&["a", "b", "c", "d", "e", "f", "g", "h"], &["w"], "w of each of a, b, c, d, e, f, … and 2 more")]
    fn many_workloads_are_one_phrase(
        #[case] namespaces: &[&str],
        #[case] names: &[&str],
        #[case] phrased: &str,
    ) {
        let namespaces = namespaces.iter().copied().collect();
        assert_eq!(phrase(&namespaces, &names.iter().copied().collect()), phrased);
    }

    #[rstest]
    #[case("a/web", ("a", "web"))]
    #[case("0.0.0.0/0", ("", "0.0.0.0/0"))]
    #[case("::/0", ("", "::/0"))]
    #[case("apiserver", ("", "apiserver"))]
    fn an_address_range_is_no_namespace(#[case] name: &str, #[case] parts: Name<'_>) {
        assert_eq!(split(name), parts);
    }
}
