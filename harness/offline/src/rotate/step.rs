//! The three steps, as new texts of files.

use std::collections::BTreeMap;

use partywall_core::Layout;
use partywall_core::source::SourceLocation;

use super::error::RotateError;
use super::model::{CONTRACT, Rotation, file_sealed, of_contract};
use super::tokens;
use crate::sops::{Identities, with_new_data_key, with_recipient, without_recipient};
use crate::wiring::{RuleFor, rule_for};

/// A step of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The new key becomes a recipient beside the old one.
    Add,
    /// Every file gets a new data key, for the same recipients.
    Reseal,
    /// The old key is no recipient any more, and the data key that it knew seals nothing.
    Remove,
}

/// New texts of the files that a step changes.
pub fn step(
    layout: &Layout,
    rotation: &Rotation,
    step: Step,
    new: &str,
    identities: &Identities,
) -> Result<BTreeMap<String, String>, RotateError> {
    let mut files = BTreeMap::new();
    for sealed in &rotation.files {
        let (file, text) = (&sealed.file, layout.files.get(&sealed.file));
        let text = text.map(String::as_str).unwrap_or_default();
        let is_sealed_to = |key: &str| sealed.recipients.iter().any(|(name, _)| name == key);
        let place = sealed.recipients.first().map(|(_, place)| place.clone());
        let place = place.unwrap_or_else(|| SourceLocation::new(file, 1));
        let not_yet = |hint: &str| {
            let message = "the file is not sealed to the new key yet";
            Err(RotateError::at(place.clone(), message, hint))
        };
        let changed = match step {
            Step::Add => with_recipient(file, text, identities, new)?,
            Step::Reseal | Step::Remove if !is_sealed_to(new) => {
                return not_yet("`--do add` is the step before");
            }
            Step::Reseal => with_new_data_key(file, text, identities)?,
            // Whoever had the old key may have kept the data key that it opened.
            Step::Remove => {
                let without = without_recipient(file, text, &rotation.old)?;
                with_new_data_key(file, &without, identities)?
            }
        };
        files.insert(file.clone(), changed);
    }
    if step != Step::Reseal {
        name_recipients(layout, rotation, step, new, &mut files)?;
    }
    files.retain(|file, text| layout.files.get(file) != Some(text));
    let mut all = layout.files.clone();
    all.extend(files.clone());
    agreeing(&Layout::lenient(all), rotation, step, new)?;
    Ok(files)
}

/// The creation rules and the contract.
fn name_recipients(
    layout: &Layout,
    rotation: &Rotation,
    step: Step,
    new: &str,
    files: &mut BTreeMap<String, String>,
) -> Result<(), RotateError> {
    let mut places: Vec<&[(String, SourceLocation)]> = vec![&rotation.contract];
    places.extend(rotation.files.iter().map(|file| file.rule.as_slice()));
    let mut done = Vec::new();
    for named in places {
        let has = |key: &str| named.iter().any(|(name, _)| name == key);
        let is_done = if step == Step::Add { has(new) } else { !has(&rotation.old) };
        let Some((_, place)) = named.iter().find(|(name, _)| *name == rotation.old) else {
            continue;
        };
        if is_done || done.contains(place) {
            continue;
        }
        done.push(place.clone());
        let text = files.get(&place.file).or_else(|| layout.files.get(&place.file));
        let text = text.map(String::as_str).unwrap_or_default();
        let edited = match step {
            Step::Add => tokens::with(text, place.line, &rotation.old, new),
            _ => tokens::without(text, place.line, &rotation.old),
        };
        let edited = edited.ok_or_else(|| by_hand(place, step, &rotation.old, new))?;
        files.insert(place.file.clone(), edited);
    }
    Ok(())
}

fn by_hand(place: &SourceLocation, step: Step, old: &str, new: &str) -> RotateError {
    let hint = match step {
        Step::Add => format!("name {new} beside {old} by hand, and run this step again"),
        _ => format!("take {old} away by hand, and run this step again"),
    };
    RotateError::at(place.clone(), "the recipients here are written in a way not known here", hint)
}

/// What was edited must be read as it was meant.
fn agreeing(
    layout: &Layout,
    rotation: &Rotation,
    step: Step,
    new: &str,
) -> Result<(), RotateError> {
    let is_right = |named: &[(String, SourceLocation)]| {
        let has = |key: &str| named.iter().any(|(name, _)| name == key);
        named.is_empty() || (has(new) && has(&rotation.old) == (step != Step::Remove))
    };
    let contract = of_contract(layout, &rotation.tenant);
    if !is_right(&contract) {
        let place = rotation.contract.first().map(|(_, place)| place.clone());
        let place = place.unwrap_or_else(|| SourceLocation::new(CONTRACT, 1));
        return Err(by_hand(&place, step, &rotation.old, new));
    }
    for before in &rotation.files {
        let after = file_sealed(layout, &before.file)?;
        if !is_right(&after.recipients) {
            let place = before.recipients.first().map(|(_, place)| place.clone());
            let place = place.unwrap_or_else(|| SourceLocation::new(&before.file, 1));
            return Err(by_hand(&place, step, &rotation.old, new));
        }
        let names_old = before.rule.iter().any(|(name, _)| *name == rotation.old);
        if let (RuleFor::Found(rule), true) = (rule_for(layout, &before.file), names_old)
            && !is_right(&rule.recipients)
        {
            return Err(by_hand(&rule.location, step, &rotation.old, new));
        }
    }
    Ok(())
}
