//! Text in Markdown that stays the text that it is.

/// Text that Markdown and HTML leave alone, for a paragraph or a table's square.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '$' | '@' => {
                escaped.push('\\');
                escaped.push(character);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Text in code style, whatever quotes it holds. As HTML, because a table ends a square at a
/// bar even within backquotes.
pub(crate) fn code(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 13);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '@' | ':' | '!' | '#' => {
                escaped.push_str(&format!("&#{};", u32::from(character)));
            }
            _ => escaped.push(character),
        }
    }
    format!("<code>{escaped}</code>")
}

/// A part that is folded until a reader asks for it.
pub(crate) fn details(title: &str, body: &str) -> String {
    format!("<details><summary>{title}</summary>\n\n{body}\n</details>\n")
}

/// A row of a table.
pub(crate) fn row(squares: impl IntoIterator<Item = String>) -> String {
    let squares: Vec<String> = squares.into_iter().collect();
    format!("| {} |\n", squares.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_a_square() {
        assert_eq!(escape("a|b <img> `c`"), "a\\|b &lt;img&gt; \\`c\\`");
        assert_eq!(code("a|b</code>`"), "<code>a&#124;b&lt;/code&gt;&#96;</code>");
    }
}
