//! Values to be looked for, in every form in which they may lie around. A value itself is never
//! told: what is found is told by place, form, and the beginning of its hash.

use std::fmt;
use std::io::Read;

use age::secrecy::{ExposeSecret, SecretString};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use flate2::read::GzDecoder;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::push::sha256;

/// Shorter values are found everywhere by chance.
pub(super) const SHORTEST: usize = 8;
/// What an archive may grow to.
const UNPACKED_MAX: u64 = 32 * 1024 * 1024;
const HASH_SHOWN: usize = 12;
/// How a gzip archive begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// One value that is looked for.
pub(super) struct Canary {
    /// What it is, for people: `customers/a/secrets.yaml secrets/token`.
    name: String,
    hash: String,
    forms: Vec<(&'static str, SecretString)>,
}

impl fmt::Debug for Canary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Canary({}, {})", self.name, self.hash)
    }
}

impl Canary {
    /// A value, under a name for people.
    pub(super) fn new(name: impl Into<String>, value: &str) -> Self {
        let mut forms = vec![("plain", value.to_string())];
        forms.extend((0..3).map(|before| ("base64", base64_at(value, before))));
        let url = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
        let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
        let json = Value::String(value.to_string()).to_string();
        forms.push(("hexadecimal", hex));
        for (form, text) in [("URL-encoded", url), ("JSON", json.trim_matches('"').to_string())] {
            if text != value {
                forms.push((form, text));
            }
        }
        for (form, text) in escaped(value, json.trim_matches('"')) {
            if text != value && forms.iter().all(|(_, known)| *known != text) {
                forms.push((form, text));
            }
        }
        let kept = forms.into_iter().filter(|(_, text)| text.len() >= SHORTEST);
        Self {
            name: name.into(),
            hash: sha256(value.as_bytes()).chars().take(HASH_SHOWN).collect(),
            forms: kept.map(|(form, text)| (form, text.into())).collect(),
        }
    }

    /// How many bytes its longest form has.
    pub(super) fn longest(&self) -> usize {
        let lengths = self.forms.iter().map(|(_, text)| text.expose_secret().len());
        lengths.max().unwrap_or_default()
    }

    fn found_in(&self, text: &str) -> Option<(&'static str, usize)> {
        let mut forms = self.forms.iter();
        forms.find_map(|(form, text_of)| Some((*form, text.find(text_of.expose_secret())?)))
    }
}

/// What pages and JUnit make of a value, and Go of one in JSON.
fn escaped(value: &str, json: &str) -> Vec<(&'static str, String)> {
    let mut forms: Vec<(&'static str, String)> =
        ["&#x27;", "&apos;", "&#39;", "'"].map(|quote| ("HTML", as_html(value, quote))).into();
    // Texts between tags may keep their quotes.
    forms.push(("XML", as_html(value, "'").replace("&quot;", "\"")));
    let go = json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
    forms.push(("JSON", go));
    forms
}

/// What a writer of pages makes of a value; they differ in the quote.
pub(super) fn as_html(value: &str, quote: &str) -> String {
    let ampersands = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    ampersands.replace('"', "&quot;").replace('\'', quote)
}

/// What base64 makes of a value that stands behind so many other bytes, without the letters that
/// its neighbours have a part in.
fn base64_at(value: &str, before: usize) -> String {
    let padded = [vec![0_u8; before], value.as_bytes().to_vec()].concat();
    let encoded = STANDARD_NO_PAD.encode(&padded);
    let first = (before * 8).div_ceil(6);
    let whole = padded.len() * 8 / 6;
    encoded.get(first..whole.max(first)).unwrap_or_default().to_string()
}

/// Where the canaries are in a text or an archive: one line for each.
pub(super) fn search(canaries: &[Canary], place: &str, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for (layer, bytes) in layers(bytes) {
        let text = String::from_utf8_lossy(&bytes);
        for canary in canaries {
            let Some((form, at)) = canary.found_in(&text) else { continue };
            let Canary { name, hash, .. } = canary;
            found.push(format!("{place}{layer} at {at}, {form}: {name} (SHA-256 {hash}…)"));
        }
    }
    found
}

/// Where the canaries are in a JSON value, by field.
pub(super) fn search_json(canaries: &[Canary], place: &str, value: &Value) -> Vec<String> {
    fn walk(canaries: &[Canary], place: &str, value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, below) in map {
                    found.extend(search(canaries, &format!("{place} a key of"), key.as_bytes()));
                    walk(canaries, &format!("{place}.{key}"), below, found);
                }
            }
            Value::Array(items) => {
                for (index, below) in items.iter().enumerate() {
                    walk(canaries, &format!("{place}[{index}]"), below, found);
                }
            }
            Value::String(text) => found.extend(search(canaries, place, text.as_bytes())),
            other => found.extend(search(canaries, place, other.to_string().as_bytes())),
        }
    }
    let mut found = Vec::new();
    walk(canaries, place, value, &mut found);
    found
}

/// The bytes themselves, and what is packed in them as Helm packs its releases: base64, gzip.
fn layers(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut layers = vec![("", bytes.to_vec())];
    if let Some(unpacked) = unpacked(bytes) {
        layers.push((" (gzip)", unpacked));
    } else if let Some(unpacked) = STANDARD.decode(bytes).ok().and_then(|packed| unpacked(&packed))
    {
        layers.push((" (base64, gzip)", unpacked));
    }
    layers
}

/// Whether this begins an archive, as it is or in base64, that only opens as a whole.
pub(super) fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(&GZIP) || bytes.starts_with(b"H4sI")
}

fn unpacked(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.starts_with(&GZIP) {
        return None;
    }
    let mut unpacked = Vec::new();
    GzDecoder::new(bytes).take(UNPACKED_MAX).read_to_end(&mut unpacked).ok()?;
    Some(unpacked)
}

#[cfg(test)]
#[path = "secret_canary_tests.rs"]
mod tests;
