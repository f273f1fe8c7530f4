//! Fitting text into columns, whatever it holds.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// One line without anything that could steer a terminal: control characters and line ends
/// become single spaces; marks that change the direction of writing, and what XML cannot hold,
/// are left out.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for part in strip_escapes(text).split(|c: char| c.is_whitespace() || c.is_control()) {
        let part = part.trim_matches(is_dropped);
        if part.is_empty() {
            continue;
        }
        if !cleaned.is_empty() {
            cleaned.push(' ');
        }
        cleaned.extend(part.chars().filter(|c| !is_dropped(*c)));
    }
    cleaned
}

fn is_dropped(c: char) -> bool {
    matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Without ANSI escape sequences, so that no `[31m` is left of them.
fn strip_escapes(text: &str) -> String {
    let mut stripped = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\u{1b}' {
            stripped.push(character);
        } else if characters.next_if_eq(&'[').is_some() {
            while characters.next_if(|c| !('@'..='~').contains(c) && c.is_ascii()).is_some() {}
            characters.next_if(|c| ('@'..='~').contains(c));
        }
    }
    stripped
}

/// Columns that the text takes in a terminal.
pub(crate) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// The text, cut in its middle where it is too wide: names often differ only at their ends.
pub(crate) fn fit(text: &str, max: usize) -> String {
    if width(text) <= max {
        return text.to_string();
    }
    if max == 0 {
        return String::new();
    }
    let head = (max - 1).div_ceil(2);
    let start = take(text.chars(), head);
    let end: String = take(text.chars().rev(), max - 1 - width(&start)).chars().rev().collect();
    format!("{start}…{end}")
}

/// The text, cut at its end where it is too wide.
pub(crate) fn cut(text: &str, max: usize) -> String {
    if width(text) <= max {
        return text.to_string();
    }
    format!("{}…", take(text.chars(), max.saturating_sub(1)).trim_end())
}

fn take(characters: impl Iterator<Item = char>, max: usize) -> String {
    let mut taken = String::new();
    let mut used = 0;
    for character in characters {
        used += character.width().unwrap_or(0);
        if used > max {
            break;
        }
        taken.push(character);
    }
    taken
}

/// The text with spaces up to this width.
pub(crate) fn pad(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}

/// The text as lines of at most this width, and at most so many; what is left out is marked.
pub(crate) fn wrap(text: &str, max: usize, lines_max: usize) -> Vec<String> {
    let max = max.max(1);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').flat_map(|word| pieces(word, max)) {
        if !line.is_empty() && width(&line) + 1 + width(&word) > max {
            lines.push(std::mem::take(&mut line));
        }
        if lines.len() > lines_max {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    lines.push(line);
    if lines.len() > lines_max {
        lines.truncate(lines_max);
        if let Some(last) = lines.last_mut() {
            *last = cut(&format!("{last} …"), max.max(2));
            if !last.ends_with('…') {
                last.push('…');
            }
        }
    }
    lines
}

/// A word that is wider than a line, in pieces that are not.
fn pieces(word: &str, max: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for character in word.chars() {
        let of_character = character.width().unwrap_or(0);
        if used > 0 && used + of_character > max {
            pieces.push(String::new());
            used = 0;
        }
        used += of_character;
        if let Some(piece) = pieces.last_mut() {
            piece.push(character);
        }
    }
    pieces
}

/// The text with whole words replaced; a word is what a Kubernetes name can be.
pub(crate) fn replace_words<'a>(text: &str, with: impl Fn(&str) -> Option<&'a str>) -> String {
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_name = is_of_name(first);
        let end = rest.find(|c| is_of_name(c) != is_name).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        replaced.push_str(with(part).unwrap_or(part));
        rest = after;
    }
    replaced
}

/// `12,345`.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 cell`, `2 cells`.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(number))
}

/// `85 ms`, `9.8 s`, `2 min 5 s`.
pub(crate) fn duration(milliseconds: u64) -> String {
    if milliseconds < 1000 {
        return format!("{milliseconds} ms");
    }
    let seconds = milliseconds / 1000;
    if seconds >= 120 {
        return format!("{} min {} s", seconds / 60, seconds % 60);
    }
    format!("{seconds}.{} s", milliseconds % 1000 / 100)
}

/// `0 ms`, `0.4 ms`, `1,284.0 ms`, of microseconds: short times are never rounded away.
pub(crate) fn milliseconds(microseconds: u64) -> String {
    if microseconds == 0 {
        return "0 ms".to_string();
    }
    // Rounded up, so that what was seen is never shown as nothing.
    let tenths = microseconds.div_ceil(100);
    let whole = usize::try_from(tenths / 10).map_or_else(|_| (tenths / 10).to_string(), thousands);
    format!("{whole}.{} ms", tenths % 10)
}

/// A number with its unit, as events name units: `12.3 ms`, `1,204 1/s`, `3 probes`.
pub(crate) fn quantity(number: u64, unit: &str) -> String {
    match (unit, usize::try_from(number)) {
        ("us", _) => milliseconds(number),
        ("ms", _) => milliseconds(number.saturating_mul(1000)),
        ("probes", Ok(number)) => counted(number, "probe"),
        (_, Ok(number)) => format!("{} {}", thousands(number), clean(unit)),
        (_, Err(_)) => format!("{number} {}", clean(unit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("a\nb\r\n\tc", "a b c")]
    #[case("\u{1b}[31mred\u{1b}[0m \u{7}bell", "red bell")]
    #[case("\u{1b}[2J\u{1b}]0;title\u{7}x", "]0;title x")]
    #[case("ab\u{202e}cd\u{feff}", "abcd")]
    #[case("\u{1b}[", "")]
    #[case("\u{9b}31m", "31m")]
    fn cleans_what_could_steer_a_terminal(#[case] dirty: &str, #[case] cleaned: &str) {
        assert_eq!(clean(dirty), cleaned);
    }

    #[rstest]
    #[case("customer-alpha-production", 11, "custo…ction")]
    #[case("short", 11, "short")]
    #[case("anything", 0, "")]
    #[case("anything", 1, "…")]
    #[case("日本語日本語", 7, "日…本語")]
    fn fits_by_leaving_out_the_middle(
        #[case] text: &str,
        #[case] max: usize,
        #[case] fitted: &str,
    ) {
        assert!(width(&fit(text, max)) <= max);
        assert_eq!(fit(text, max), fitted);
    }

    #[test]
    fn wraps_and_marks_what_is_left_out() {
        assert_eq!(wrap("one two three four", 8, 9), ["one two", "three", "four"]);
        assert_eq!(wrap("one two three four", 8, 2), ["one two", "three …"]);
        assert_eq!(wrap("abcdefghij", 4, 9), ["abcd", "efgh", "ij"]);
    }

    #[rstest]
    #[case(0, "0")]
    #[case(999, "999")]
    #[case(1000, "1,000")]
    #[case(1_234_567, "1,234,567")]
    fn groups_thousands(#[case] number: usize, #[case] grouped: &str) {
        assert_eq!(thousands(number), grouped);
    }

    #[rstest]
    #[case(0, "0 ms")]
    #[case(7, "0.1 ms")]
    #[case(312_400, "312.4 ms")]
    #[case(1_284_000, "1,284.0 ms")]
    fn keeps_short_times(#[case] microseconds: u64, #[case] text: &str) {
        assert_eq!(milliseconds(microseconds), text);
    }

    #[rstest]
    #[case(85, "85 ms")]
    #[case(1000, "1.0 s")]
    #[case(9_870, "9.8 s")]
    #[case(125_000, "2 min 5 s")]
    fn says_how_long(#[case] milliseconds: u64, #[case] text: &str) {
        assert_eq!(duration(milliseconds), text);
    }
}
