//! Flux's `postBuild` expressions: the subset of the shell's parameter expansion that its
//! controllers know, with its errors.

use regex::Regex;

/// How deep expressions may stand in one another; nobody writes more than a few.
const DEPTH_MAX: usize = 64;

/// The value of a variable; none if it is not set.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Replaces every `${…}`; `$$` is a dollar. A variable that is not set and has no default is an
/// error, as it is in Flux since 2.9.
pub(super) fn substitute(text: &str, lookup: Lookup<'_>) -> Result<String, String> {
    let mut parser = Parser { rest: text, lookup, depth: 0 };
    let mut out = String::with_capacity(text.len());
    while !parser.rest.is_empty() {
        let at = parser.rest.find('$').unwrap_or(parser.rest.len());
        out.push_str(&parser.rest[..at]);
        parser.rest = &parser.rest[at..];
        if parser.take("${") {
            out.push_str(&parser.function()?);
        } else if parser.take("$$") || parser.take("$") {
            out.push('$');
        }
    }
    Ok(out)
}

struct Parser<'a> {
    rest: &'a str,
    lookup: Lookup<'a>,
    depth: usize,
}

impl Parser<'_> {
    fn take(&mut self, text: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(text) else { return false };
        self.rest = rest;
        true
    }

    /// The first of these operators that comes next; longer ones stand first.
    fn one_of(&mut self, operators: &[&'static str]) -> Option<&'static str> {
        operators.iter().copied().find(|operator| self.take(operator))
    }

    fn close(&mut self) -> Result<(), String> {
        if self.take("}") { Ok(()) } else { Err("bad substitution".to_string()) }
    }

    fn name(&mut self) -> Result<String, String> {
        let known = |c: char| c.is_alphanumeric() || c == '_';
        let end = self.rest.find(|c| !known(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        if name.is_empty() {
            Err("unable to parse variable name".to_string())
        } else {
            Ok(name.to_string())
        }
    }

    /// What stands after `${`, up to and with its `}`.
    fn function(&mut self) -> Result<String, String> {
        if self.depth >= DEPTH_MAX {
            return Err("bad substitution".to_string());
        }
        self.depth += 1;
        let value = self.expression();
        self.depth -= 1;
        value
    }

    fn expression(&mut self) -> Result<String, String> {
        if self.take("#") {
            let name = self.name()?;
            self.close()?;
            return Ok(self.set(&name)?.len().to_string());
        }
        let name = self.name()?;
        if self.one_of(&[":=", ":-", ":?", ":+", "="]).is_some() {
            let default = self.default_value()?;
            let value = (self.lookup)(&name).filter(|value| !value.is_empty());
            return Ok(value.unwrap_or(default));
        }
        if self.take(":") {
            return self.part(&name);
        }
        if let Some(operator) = self.one_of(&[",,", ",", "^^", "^"]) {
            self.close()?;
            return Ok(cased(&self.set(&name)?, operator));
        }
        if let Some(operator) = self.one_of(&["//", "/#", "/%", "/"]) {
            return self.replaced(&name, operator);
        }
        if let Some(operator) = self.one_of(&["##", "#", "%%", "%"]) {
            let pattern = self.argument(&['}'], false)?;
            self.close()?;
            return Ok(trimmed(&self.set(&name)?, &pattern, operator));
        }
        if !self.take("}") {
            return Err("missing closing brace".to_string());
        }
        self.set(&name)
    }

    fn set(&self, name: &str) -> Result<String, String> {
        (self.lookup)(name).ok_or_else(|| format!("variable not set (strict mode): {name:?}"))
    }

    fn default_value(&mut self) -> Result<String, String> {
        let mut value = String::new();
        while !self.take("}") {
            if self.rest.is_empty() {
                return Err("unable to parse substitution within function".to_string());
            }
            value.push_str(&self.argument(&['}'], false)?);
        }
        Ok(value)
    }

    /// A nested expression, or text up to one of these characters or a nested expression.
    fn argument(&mut self, ends: &[char], escapes: bool) -> Result<String, String> {
        if self.take("${") {
            return self.function();
        }
        let mut value = String::new();
        let mut first = true;
        while let Some(c) = self.rest.chars().next() {
            let escaped = [("$$", '$'), ("\\/", '/'), ("\\\\", '\\')];
            let found = escaped.iter().find(|(text, _)| escapes && self.rest.starts_with(text));
            if let Some((text, plain)) = found {
                self.rest = &self.rest[text.len()..];
                value.push(*plain);
            } else if ends.contains(&c) || self.rest.starts_with("${") {
                break;
            } else {
                self.rest = &self.rest[c.len_utf8()..];
                value.push(c);
            }
            first = false;
        }
        if first {
            return Err("unable to parse substitution within function".to_string());
        }
        Ok(value)
    }

    fn part(&mut self, name: &str) -> Result<String, String> {
        let position = self.argument(&[':', '}'], false)?;
        let length = if self.take(":") { Some(self.argument(&['}'], false)?) } else { None };
        self.close()?;
        Ok(slice(&self.set(name)?, &position, length.as_deref()))
    }

    fn replaced(&mut self, name: &str, operator: &str) -> Result<String, String> {
        let from = self.argument(&['/'], true)?;
        if !self.take("/") {
            return Err("bad substitution".to_string());
        }
        let to = if self.rest.starts_with('}') { None } else { Some(self.argument(&['}'], true)?) };
        self.close()?;
        let value = self.set(name)?;
        let with = to.as_deref().unwrap_or_default();
        Ok(match operator {
            "//" => value.replace(&from, with),
            "/" => value.replacen(&from, with, 1),
            // Without a replacement, Flux leaves a prefix and a suffix as they are.
            "/#" if to.is_some() && value.starts_with(&from) => value.replacen(&from, with, 1),
            "/%" if to.is_some() => match value.strip_suffix(from.as_str()) {
                Some(start) => format!("{start}{with}"),
                None => value,
            },
            _ => value,
        })
    }
}

fn cased(value: &str, operator: &str) -> String {
    let mut chars = value.chars();
    match operator {
        ",," => value.to_lowercase(),
        "^^" => value.to_uppercase(),
        _ => {
            let Some(first) = chars.next() else { return String::new() };
            let rest = chars.as_str();
            if operator == "," {
                format!("{}{rest}", first.to_lowercase())
            } else {
                format!("{}{rest}", first.to_uppercase())
            }
        }
    }
}

/// A part by position and length, in bytes; negative numbers count from the end.
fn slice(value: &str, position: &str, length: Option<&str>) -> String {
    let size = i64::try_from(value.len()).unwrap_or(i64::MAX);
    let number = |text: &str| text.parse::<i64>().ok();
    let Some(position) = number(position) else { return value.to_string() };
    let start = if position < 0 { (size.saturating_add(position)).max(0) } else { position };
    let end = match length.map(number) {
        None => size,
        Some(None) => return value.to_string(),
        Some(Some(length)) if length < 0 => size.saturating_add(length),
        Some(Some(length)) => start.saturating_add(length).min(size),
    };
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let part =
        range.filter(|(start, end)| start <= end).and_then(|(start, end)| value.get(start..end));
    part.unwrap_or_default().to_string()
}

/// The value without the shortest or longest start or end that a glob matches.
fn trimmed(value: &str, pattern: &str, operator: &str) -> String {
    let at_start = operator.starts_with('#');
    let longest = operator.len() == 2;
    let Some(glob) = glob(pattern) else { return value.to_string() };
    let cuts = value.char_indices().map(|(at, _)| at).chain([value.len()]);
    let fits = |cut: &usize| {
        let part = if at_start { &value[..*cut] } else { &value[*cut..] };
        !part.is_empty() && glob.is_match(part)
    };
    let mut cuts: Vec<usize> = cuts.filter(fits).collect();
    if at_start == longest {
        cuts.reverse();
    }
    match cuts.first() {
        Some(cut) if at_start => value[*cut..].to_string(),
        Some(cut) => value[..*cut].to_string(),
        None => value.to_string(),
    }
}

fn glob(pattern: &str) -> Option<Regex> {
    let mut text = String::from("(?s)^");
    for c in pattern.chars() {
        match c {
            '*' => text.push_str(".*"),
            '?' => text.push('.'),
            '[' | ']' | '-' | '^' => text.push(c),
            c => text.push_str(&regex::escape(&c.to_string())),
        }
    }
    text.push('$');
    Regex::new(&text).ok()
}

#[cfg(test)]
#[path = "envsubst_tests.rs"]
mod tests;
