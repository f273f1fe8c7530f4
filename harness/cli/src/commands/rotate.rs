//! `partywall rotate`: a tenant's key is rotated, step by step.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use partywall_core::Exit;
use partywall_core::source::SourceLocation;
use partywall_offline::rotate::{Rotation, RotationKeys, Step, step, verify, write_new_key};
use partywall_runner::{Project, load_project};

use crate::args::{LayoutArgs, Rotate, RotateStep};
use crate::failure::Failure;
use crate::print;
use crate::project::{default_layout, fixture_keys};

/// Run `partywall rotate`.
pub fn rotate(arguments: &Rotate) -> Result<Exit, Failure> {
    let directory = match &arguments.layout.layout {
        Some(layout) => layout.clone(),
        None => default_layout()?,
    };
    let project = load_project(&directory)?;
    let folder = arguments.layout.keys.clone().or_else(|| fixture_keys(&directory));
    let new = arguments.new_key.as_deref();
    let keys = RotationKeys::load(folder.as_deref(), new).map_err(Failure::usage)?;
    // After the last step nothing of the layout names the key that went.
    let old = arguments.old.as_deref();
    let rotation = |new: Option<&str>| {
        let (layout, contract) = (&project.layout, &project.contract);
        Rotation::of(layout, contract, &arguments.tenant, old, new).map_err(Failure::usage)
    };
    let public = keys.new_public();
    match (arguments.step, arguments.verify) {
        (Some(wanted), _) => {
            let rotation = rotation(public.as_deref())?;
            do_step(arguments, wanted, &project, &rotation, keys)
        }
        (None, true) => {
            let public = public.ok_or_else(|| no_new_key(new))?;
            let rotation = match rotation(Some(&public)) {
                // With the new key alone in the contract, what went is known by name only.
                Err(_) if old.is_none() => rotation(None)?,
                found => found?,
            };
            verified(&project, &rotation, &public, &keys)
        }
        (None, false) => {
            print::result(&plan(&rotation(public.as_deref())?, public.as_deref(), arguments));
            Ok(Exit::Holds)
        }
    }
}

fn no_new_key(new: Option<&Path>) -> Failure {
    let name = new.map(|new| new.display().to_string()).unwrap_or_default();
    Failure::usage(format!("{name} is not there\nhint: `--do add` makes the new key"))
}

fn do_step(
    arguments: &Rotate,
    wanted: RotateStep,
    project: &Project,
    rotation: &Rotation,
    mut keys: RotationKeys,
) -> Result<Exit, Failure> {
    let path = arguments.new_key.clone().unwrap_or_default();
    if keys.new_public().is_none() {
        if wanted != RotateStep::Add {
            return Err(no_new_key(Some(&path)));
        }
        if arguments.dry_run {
            let path = path.display();
            print::result(&format!("would make a new key in {path}, and seal to it as well:"));
            print::result(&named(rotation).join("\n"));
            return Ok(Exit::Holds);
        }
        keys = new_key(arguments, project, &path)?;
    }
    let new = keys.new_public().unwrap_or_default();
    let step_wanted = match wanted {
        RotateStep::Add => Step::Add,
        RotateStep::Reseal => Step::Reseal,
        RotateStep::Remove => Step::Remove,
    };
    let files = step(&project.layout, rotation, step_wanted, &new, &keys.all());
    let files = files.map_err(Failure::usage)?;
    let word = if arguments.dry_run { "would write" } else { "wrote" };
    if !arguments.dry_run {
        write_all(&project.directory, &files)?;
    }
    for file in files.keys() {
        print::result(&format!("{word} {file}"));
    }
    if files.is_empty() {
        print::result("nothing to do: this step is done already");
    }
    print::result(&format!("next: {}", next(wanted, rotation)));
    Ok(Exit::Holds)
}

/// A new private key, beside the layout and never in it.
fn new_key(arguments: &Rotate, project: &Project, path: &Path) -> Result<RotationKeys, Failure> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or_else(|| Path::new(".")).canonicalize();
    let folder = folder.map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    if folder.starts_with(project.directory.canonicalize()?) {
        return Err(Failure::usage(format!(
            "{} lies in the layout\nhint: a private key does not belong into the repository",
            path.display()
        )));
    }
    let public = write_new_key(path, &arguments.tenant)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    print::result(&format!("wrote {} (for its owner alone): {public}", path.display()));
    let keys = arguments.layout.keys.clone().or_else(|| fixture_keys(&project.directory));
    RotationKeys::load(keys.as_deref(), Some(path)).map_err(Failure::usage)
}

/// Each file is replaced as a whole: whoever reads meanwhile sees the old one or the new one.
fn write_all(directory: &Path, files: &BTreeMap<String, String>) -> Result<(), Failure> {
    for (name, text) in files {
        let path: PathBuf = directory.join(name);
        let failed = |error: std::io::Error| {
            Failure::environment(format!("failed to write {}: {error}", path.display()))
        };
        let folder = path.parent().unwrap_or(directory);
        let mut scratch = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        scratch.write_all(text.as_bytes()).map_err(failed)?;
        let mode = fs::metadata(&path).map_err(failed)?.permissions();
        scratch.as_file().set_permissions(mode).map_err(failed)?;
        scratch.persist(&path).map_err(|error| failed(error.error))?;
    }
    Ok(())
}

fn verified(
    project: &Project,
    rotation: &Rotation,
    public: &str,
    keys: &RotationKeys,
) -> Result<Exit, Failure> {
    let Some(new) = keys.new_alone() else { return Err(no_new_key(None)) };
    let is_known = rotation.old != public;
    let mut done = rotation.clone();
    // Without the name of the key that went, no key beside those of the contract may open them.
    let strangers = keys.beside(rotation.contract.iter().map(|(name, _)| name));
    let mut old = keys.of(&rotation.old);
    if !is_known {
        done.old.clear();
        old = (!strangers.recipients().is_empty()).then_some(&strangers);
    }
    let findings = verify(&project.layout, &done, new, old).map_err(Failure::usage)?;
    for finding in &findings {
        print::result(&format!("{}: {}", finding.location, finding.message));
    }
    if old.is_none() {
        print::note(
            "the old private key is not here: that it opens nothing is told by the recipients alone",
        );
    }
    if !findings.is_empty() {
        return Ok(Exit::Violated);
    }
    print::result(&format!(
        "the files of {} open with the new key; files, rules and contract agree",
        rotation.tenant
    ));
    Ok(Exit::Holds)
}

fn plan(rotation: &Rotation, new: Option<&str>, arguments: &Rotate) -> String {
    let tenant = &rotation.tenant;
    let new_text = new.unwrap_or("(none yet: `--do add` makes it in the file of --new-key)");
    let file =
        arguments.new_key.as_ref().map_or("FILE".to_string(), |file| file.display().to_string());
    let mut lines = vec![
        format!("rotation of the key of {tenant}"),
        format!("  old key     {}", rotation.old),
        format!("  new key     {new_text}"),
        format!("  key Secret  {}", rotation.key_secret),
    ];
    let flux = rotation.kustomizations.iter();
    lines.extend(flux.map(|(name, place)| format!("  decrypts    Kustomization {name} ({place})")));
    lines.push("named in".to_string());
    lines.extend(named(rotation).into_iter().map(|line| format!("  {line}")));
    lines.push("recipients, step by step".to_string());
    let short = |key: &str| key.chars().take(12).collect::<String>();
    let (old, new) = (short(&rotation.old), new.map_or("NEW".to_string(), short));
    for (word, now, data) in [
        ("now", format!("{old}…"), "as it is"),
        ("add", format!("{old}…, {new}…"), "as it is"),
        ("reseal", format!("{old}…, {new}…"), "new"),
        ("remove", format!("{new}…"), "new"),
    ] {
        lines.push(format!("  {word:<8} {now:<30} data key {data}"));
    }
    lines.push("in this order; commit after each, and wait until Flux has applied it".to_string());
    let mut command = format!("partywall rotate {tenant} --new-key {file}");
    let LayoutArgs { layout, keys } = &arguments.layout;
    for (word, folder) in [("--layout", layout), ("--keys", keys)] {
        if let Some(folder) = folder {
            command.push_str(&format!(" {word} {}", folder.display()));
        }
    }
    for (number, (word, wanted)) in
        [("add", RotateStep::Add), ("reseal", RotateStep::Reseal), ("remove", RotateStep::Remove)]
            .into_iter()
            .enumerate()
    {
        lines.push(format!("  {}. {command} --do {word}", number + 1));
        lines.push(format!("     then {}", next(wanted, rotation)));
    }
    lines.push(format!("  4. {command} --old {} --verify", rotation.old));
    lines.join("\n")
}

/// Everything that names the old key.
fn named(rotation: &Rotation) -> Vec<String> {
    let old = &rotation.old;
    let mut lines = Vec::new();
    let mut add = |what: &str, named: &[(String, SourceLocation)]| {
        let own = named.iter().filter(|(name, _)| name == old);
        lines.extend(own.map(|(_, place)| format!("{place}  {what}")));
    };
    for file in &rotation.files {
        add("recipient of the sealed file", &file.recipients);
        add(&format!("creation rule of {}", file.file), &file.rule);
    }
    add("recipient in the contract", &rotation.contract);
    lines
}

/// What a person does after a step.
fn next(wanted: RotateStep, rotation: &Rotation) -> String {
    let (namespace, name) = rotation.key_secret.split_once('/').unwrap_or_default();
    let tenant = &rotation.tenant;
    let secret = |entries: &str| {
        format!(
            "kubectl --namespace {namespace} create secret generic {name} {entries} \
             --dry-run=client --output yaml | kubectl replace --filename -"
        )
    };
    match wanted {
        RotateStep::Add => format!(
            "let the key Secret hold both keys, and commit:\n       {}",
            secret(&format!("--from-file={tenant}.agekey=OLD --from-file={tenant}-new.agekey=NEW"))
        ),
        RotateStep::Reseal => "commit, and wait until Flux has applied it".to_string(),
        RotateStep::Remove => format!(
            "commit, wait until Flux has applied it, and only then revoke the old key:\n       {}",
            secret(&format!("--from-file={tenant}.agekey=NEW"))
        ),
    }
}
