//! A mistake for experiments: the decryption block of a tenant's Kustomization taken away.

use std::collections::BTreeMap;

use partywall_core::Layout;
use partywall_core::source::SourceLocation;

use super::error::RotateError;
use super::model::{CONTRACT, Rotation};

/// The files of the layout without the block by which Flux opens the tenant's files.
pub fn without_decryption(
    layout: &Layout,
    rotation: &Rotation,
) -> Result<BTreeMap<String, String>, RotateError> {
    let mut files = BTreeMap::new();
    for (_, place) in &rotation.kustomizations {
        let text = files.get(&place.file).or_else(|| layout.files.get(&place.file));
        let lines: Vec<&str> = text.map(|text| text.lines().collect()).unwrap_or_default();
        let named = usize::try_from(place.line).unwrap_or_default().min(lines.len());
        let start = (0..named).rev().find(|at| lines[*at].trim() == "decryption:");
        let start = start.ok_or_else(|| {
            let message = "the decryption block here is not written as a block of lines";
            RotateError::at(place.clone(), message, "write `decryption:` on a line of its own")
        })?;
        let indent = |line: &str| line.len() - line.trim_start().len();
        let depth = indent(lines[start]);
        let deeper = lines[start + 1..].iter().take_while(|line| indent(line) > depth).count();
        let kept = lines[..start].iter().chain(&lines[start + 1 + deeper..]);
        let new: String = kept.map(|line| format!("{line}\n")).collect();
        files.insert(place.file.clone(), new);
    }
    if files.is_empty() {
        let place = SourceLocation::new(CONTRACT, 1);
        let message = format!("no Kustomization decrypts with {}", rotation.key_secret);
        return Err(RotateError::at(place, message, "name the key Secret in `decryption`"));
    }
    Ok(files)
}
