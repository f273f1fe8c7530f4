//! Sealing a made-up file for one recipient.

use std::path::Path;
use std::time::Duration;

use partywall_tool::Tool;
use sha2::{Digest, Sha256};

use super::error::ScaleError;

/// Sealing is a matter of milliseconds.
const LIMIT: Duration = Duration::from_secs(30);

/// A file of the shape of this sealed one, with made-up values of its own, sealed for one
/// recipient by the sops program. The values follow from the private key and from nothing public.
pub(super) fn sealed_anew(
    sops: &Path,
    file: &str,
    template: &str,
    recipient: &str,
    private: &str,
) -> Result<String, ScaleError> {
    let tool = Tool::new(sops)
        // The layout's own creation rules must not choose the recipients.
        .env("SOPS_CONFIG", "/dev/null")
        .args(["encrypt", "--age", recipient, "--filename-override", file])
        .args(["--input-type", "yaml", "--output-type", "yaml", "/dev/stdin"])
        .stdin(made_up(template, private))
        .timeout(LIMIT);
    let output =
        tool.run().map_err(|source| ScaleError::Seal { file: file.to_string(), source })?;
    Ok(output.stdout_text().into_owned())
}

/// The file without its `sops` block, and with made-up values in the place of the sealed ones.
fn made_up(template: &str, private: &str) -> String {
    let mut plain = String::new();
    for (number, line) in template.lines().enumerate() {
        if line.starts_with("sops:") {
            break;
        }
        plain.push_str(&made_up_line(line, number, private));
        plain.push('\n');
    }
    plain
}

fn made_up_line(line: &str, number: usize, private: &str) -> String {
    let (Some(from), Some(to)) = (line.find("ENC[AES256_GCM,"), line.rfind(']')) else {
        return line.to_string();
    };
    let value = match line[from..to].rsplit("type:").next().unwrap_or_default() {
        "int" => "1".to_string(),
        "float" => "1.5".to_string(),
        "bool" => "true".to_string(),
        _ => {
            let digest = Sha256::digest(format!("{private}{number}"));
            let hex: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
            format!("made-up-{hex}")
        }
    };
    format!("{}{value}{}", &line[..from], &line[to + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEALED: &str = "a: ENC[AES256_GCM,data:x,type:str]\nb:\n    c: \
                          ENC[AES256_GCM,data:x,type:int]\nsops:\n    age: []\n";

    #[test]
    fn values_are_made_up_for_each_key() {
        let (one, two) = (made_up(SEALED, "k1"), made_up(SEALED, "k2"));
        assert_ne!(one, two);
        assert!(one.starts_with("a: made-up-") && one.ends_with("\nb:\n    c: 1\n"), "{one}");
    }
}
