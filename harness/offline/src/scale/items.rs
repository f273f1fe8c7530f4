//! Lists in YAML text: the item that is about one tenant, repeated for each of many.
//!
//! Text and not documents, because comments and lists inside of texts (a file in a ConfigMap) are
//! part of a layout too.

/// Whether a text names a tenant: `tenant-customer-a` and `customer-a.example` do, `customer-ab`
/// does not.
pub(super) fn names(text: &str, tenant: &str) -> bool {
    places(text, tenant).next().is_some()
}

/// The text with one tenant's name in the place of another's.
pub(super) fn renamed(text: &str, from: &str, to: &str) -> String {
    let mut new = String::with_capacity(text.len());
    let mut end = 0;
    for place in places(text, from) {
        new.push_str(&text[end..place]);
        new.push_str(to);
        end = place + from.len();
    }
    new.push_str(&text[end..]);
    new
}

fn places<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(name).map(|(place, _)| place).filter(move |place| {
        let belongs = |found: char| found.is_ascii_alphanumeric();
        let (before, after) = (&text[..*place], &text[*place + name.len()..]);
        let goes_on = after.starts_with(|found: char| belongs(found) || found == '-');
        !before.ends_with(belongs) && !goes_on
    })
}

/// The text with one number in the place of another.
pub(super) fn renumbered(text: &str, from: u16, to: u16) -> String {
    let (from, to) = (from.to_string(), to.to_string());
    let mut new = String::with_capacity(text.len());
    let mut end = 0;
    for (place, _) in text.match_indices(&from) {
        let (before, after) = (&text[..place], &text[place + from.len()..]);
        let goes_on = |found: char| found.is_ascii_alphanumeric();
        if !before.ends_with(goes_on) && !after.starts_with(goes_on) {
            new.push_str(&text[end..place]);
            new.push_str(&to);
            end = place + from.len();
        }
    }
    new.push_str(&text[end..]);
    new
}

/// The text with every number behind a key so much larger.
pub(super) fn shifted(text: &str, key: &str, by: u16) -> String {
    let shift = |line: &str| {
        let (before, number) = line.split_once(key)?;
        let number: u32 = number.trim_end().parse().ok()?;
        let end = if line.ends_with('\n') { "\n" } else { "" };
        before.trim().is_empty().then(|| format!("{before}{key}{}{end}", number + u32::from(by)))
    };
    let lines = text.split_inclusive('\n');
    lines.map(|line| shift(line).unwrap_or_else(|| line.to_string())).collect()
}

/// The text with every item about `template` repeated by `copies`, and without the items that are
/// about `others`. An item that holds several tenants is looked into. An item is one of a list, or
/// an entry whose key names a tenant.
pub(super) fn repeated(
    text: &str,
    template: &str,
    others: &[&str],
    copies: &dyn Fn(&str) -> Vec<String>,
) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut new = String::with_capacity(text.len());
    let mut place = 0;
    while let Some(line) = lines.get(place) {
        let is_tenant =
            |key: &str| names(key, template) || others.iter().any(|other| names(key, other));
        let end = end_of_item(&lines, place, &is_tenant);
        let item = lines[place..end].concat();
        let of_others = others.iter().any(|other| names(&item, other));
        match (names(&item, template), of_others) {
            (true, false) if end > place => {
                copies(&item).iter().for_each(|copy| new.push_str(copy));
                place = end;
            }
            (false, true) if end > place => place = end,
            _ => {
                new.push_str(line);
                place += 1;
            }
        }
    }
    new
}

/// Where the item that begins at a line ends; the line itself where none begins.
fn end_of_item(lines: &[&str], start: usize, is_tenant: &dyn Fn(&str) -> bool) -> usize {
    let line = lines[start];
    let text = line.trim_start();
    let key = text.split_once(':').map(|(key, _)| key).filter(|_| !text.starts_with('#'));
    if !text.starts_with("- ") && !key.is_some_and(is_tenant) {
        return start;
    }
    let depth = indent(line);
    let is_within = |line: &&&str| indent(line) > depth && !line.trim().is_empty();
    start + 1 + lines[start + 1..].iter().take_while(is_within).count()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn numbers_behind_a_key_are_shifted() {
        let text = "- name: a\n  orgId: 2\n  # orgId: 2\n  other: 2\n";
        let expected = "- name: a\n  orgId: 5\n  # orgId: 2\n  other: 2\n";
        assert_eq!(shifted(text, "orgId: ", 3), expected);
    }

    fn twice(item: &str) -> Vec<String> {
        ["t-1", "t-2"].map(|name| renamed(item, "a", name)).to_vec()
    }

    #[rstest]
    #[case::one_line("resources:\n  - x\n  - a\n  - b\n", "resources:\n  - x\n  - t-1\n  - t-2\n")]
    #[case::several_lines(
        "- name: a\n  org: a\n- name: b\n  org: b\n# end\n",
        "- name: t-1\n  org: t-1\n- name: t-2\n  org: t-2\n# end\n"
    )]
    #[case::in_a_list_of_all("- all:\n    - a\n    - b\n", "- all:\n    - t-1\n    - t-2\n")]
    #[case::no_item("name: a\n", "name: a\n")]
    #[case::entries(
        "receivers:\n  otlp/a:\n    port: 1\n  otlp/b:\n    port: 2\n\nother: 1\n",
        "receivers:\n  otlp/t-1:\n    port: 1\n  otlp/t-2:\n    port: 1\n\nother: 1\n"
    )]
    #[case::entry_in_a_line(
        "e:\n  c-a: {in: x}\n  c-b: {in: x}\n",
        "e:\n  c-t-1: {in: x}\n  c-t-2: {in: x}\n"
    )]
    #[case::remark("- port: 1 # a\n- port: 2 # b\n", "- port: 1 # t-1\n- port: 1 # t-2\n")]
    fn repeats_the_item_of_the_template(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(repeated(text, "a", &["b"], &twice), expected);
    }

    #[test]
    fn a_number_is_more_than_its_digits() {
        let text = "[14317/TCP] 0.0.0.0:14317 114317 14317a";
        assert_eq!(renumbered(text, 14317, 7), "[7/TCP] 0.0.0.0:7 114317 14317a");
    }

    #[test]
    fn a_name_is_more_than_its_letters() {
        let text = "customer-a tenant-customer-a customer-a.example customer-ab customer-a-b";
        let expected = "t-1 tenant-t-1 t-1.example customer-ab customer-a-b";
        assert_eq!(renamed(text, "customer-a", "t-1"), expected);
        assert!(!names("customer-ab", "customer-a"));
    }
}
