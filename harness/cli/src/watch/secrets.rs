//! Experiments about a tenant's Secrets: a key is rotated, a mistake is made and mended, a value is
//! changed. Meanwhile every Secret that a release or a pod refers to is looked at.

use std::collections::BTreeMap;
use std::time::Duration;

use partywall_core::event::{Defect, MomentKind};
use partywall_core::exposure::Keeping;
use partywall_core::source::SourceLocation;
use partywall_live::watch::{HeldKeys, Rotor};
use partywall_offline::rotate::{Rotation, without_decryption};

use super::plan::Trial;
use super::stage::Stage;
use crate::failure::Failure;
use crate::print;
use crate::session_deploy::unmark_reconciled;

/// What Flux says where no key opens a file.
const NO_KEY: &str = "cannot get sops data key";
/// What Flux says where there is no key Secret.
const NO_SECRET: &str = "not found";
const REFUSED: Duration = Duration::from_secs(60);
const APPLIED: Duration = Duration::from_secs(90);
const VALID: Duration = Duration::from_secs(30);
/// Looks of one second.
const LOOKS: usize = 25;
/// How long a change may take to a pod.
const POD: Duration = Duration::from_secs(120);

/// Does what the experiment does, with the Secrets right before and after.
pub async fn act(trial: Trial, stage: &mut Stage<'_>) -> Result<Keeping, Failure> {
    let subject = stage.scene.subject.clone();
    let namespaces = stage.scene.namespaces();
    let begun_us = stage.meter.record().begun_us();
    stage.secrets = Some(stage.site.secret_meter(&subject, &namespaces, begun_us));
    valid(stage).await?;
    let rotor = Rotor::of(stage.site, &subject).map_err(Failure::usage)?;
    // From here on the session is not the layout as it is, whatever becomes of this.
    unmark_reconciled(stage.site.session())?;
    match trial {
        Trial::KeyRotated => rotate(stage, rotor).await,
        Trial::SecretChanged => change(stage, rotor).await,
        Trial::DecryptionRemoved => undecrypted(stage, rotor).await,
        Trial::WrongRecipient => wrong_recipient(stage, rotor).await,
        Trial::KeyRevokedFirst => bad_keys(stage, rotor, HeldKeys::NewOnly, NO_KEY).await,
        Trial::KeySecretMissing => bad_keys(stage, rotor, HeldKeys::Absent, NO_SECRET).await,
        Trial::KeyEntryMisnamed => bad_keys(stage, rotor, HeldKeys::Misnamed, NO_KEY).await,
        other => Err(Failure::usage(format!("{} is not about Secrets", other.name()))),
    }
}

/// Waits until a second's looks found everything right.
async fn valid(stage: &Stage<'_>) -> Result<(), Failure> {
    let Some(secrets) = &stage.secrets else { return Ok(()) };
    secrets.wait_valid(LOOKS, VALID).await.map_err(Failure::environment)
}

fn keeping(stage: &Stage<'_>) -> Keeping {
    Keeping {
        finding: stage.finding(
            "secret-absent-or-wrong",
            "a Secret that a workload refers to was absent or wrong",
            "Secret",
        ),
        must_see_gap: false,
        found: None,
        unproven: None,
    }
}

/// Changes the keys that Flux has, and notes it.
async fn hold(
    stage: &mut Stage<'_>,
    rotor: &Rotor,
    held: HeldKeys,
    what: &str,
) -> Result<(), Failure> {
    stage.site.hold_keys(rotor, held).await.map_err(Failure::environment)?;
    stage.moments.add(MomentKind::Hand, format!("Secret {} {what}", rotor.key_secret));
    Ok(())
}

async fn sealed(
    stage: &mut Stage<'_>,
    files: &BTreeMap<String, String>,
    what: &str,
) -> Result<(), Failure> {
    let pushed = stage.commit_sealed(files, &BTreeMap::new(), what).await?;
    stage.follow(&pushed).await?;
    valid(stage).await
}

/// The rotation in its three steps, each through Git and each waited for.
async fn rotate(stage: &mut Stage<'_>, mut rotor: Rotor) -> Result<Keeping, Failure> {
    hold(stage, &rotor, HeldKeys::Both, "has the new key beside the old one").await?;
    let added = rotor.add().map_err(Failure::usage)?;
    sealed(stage, &added, "seals to the new key beside the old one").await?;
    let renewed = rotor.reseal().map_err(Failure::usage)?;
    sealed(stage, &renewed, "has a new data key").await?;
    let removed = rotor.remove().map_err(Failure::usage)?;
    sealed(stage, &removed, "is no more sealed to the old key").await?;
    hold(stage, &rotor, HeldKeys::NewOnly, "has the new key alone: the old one is revoked").await?;
    let file = rotor.file().unwrap_or_default().to_string();
    stage.site.applied_again(&file, APPLIED).await.map_err(Failure::environment)?;
    valid(stage).await?;
    let mut keeping = keeping(stage);
    if !rotor.is_revoked() {
        keeping.unproven = Some("the old key still opens what was pushed last".to_string());
    }
    // And back, in the same order.
    hold(stage, &rotor, HeldKeys::Both, "has both keys again").await?;
    stage.put_back("seals to the old key again").await?;
    valid(stage).await?;
    hold(stage, &rotor, HeldKeys::Committed, "has the old key alone").await?;
    stage.site.applied_again(&file, APPLIED).await.map_err(Failure::environment)?;
    valid(stage).await?;
    Ok(keeping)
}

/// A mistake in the cluster's keys: Flux must name it, and what stood before must go on standing.
async fn bad_keys(
    stage: &mut Stage<'_>,
    rotor: Rotor,
    held: HeldKeys,
    expected: &str,
) -> Result<Keeping, Failure> {
    let what = match held {
        HeldKeys::Absent => "is deleted",
        HeldKeys::Misnamed => "has its key in an entry that does not end in .agekey",
        _ => "has the new key alone, and the files are sealed to the old one",
    };
    hold(stage, &rotor, held, what).await?;
    let file = rotor.file().unwrap_or_default().to_string();
    stage.site.look_again(&file).await.map_err(Failure::environment)?;
    let found = named(stage, &rotor, expected).await?;
    hold(stage, &rotor, HeldKeys::Committed, "is as before").await?;
    stage.put_back("puts the layout back").await?;
    valid(stage).await?;
    Ok(Keeping { found, ..keeping(stage) })
}

async fn wrong_recipient(stage: &mut Stage<'_>, mut rotor: Rotor) -> Result<Keeping, Failure> {
    rotor.add().map_err(Failure::usage)?;
    // The new key is in no Secret of the cluster.
    let stranger = rotor.remove().map_err(Failure::usage)?;
    let what = "seals the tenant's file to a key that nobody has";
    stage.commit_sealed(&stranger, &BTreeMap::new(), what).await?;
    let found = named(stage, &rotor, NO_KEY).await?;
    stage.put_back("puts the layout back").await?;
    valid(stage).await?;
    Ok(Keeping { found, ..keeping(stage) })
}

/// Waits until Flux names the mistake, and looks for a second whether anything restarts for it.
async fn named(
    stage: &mut Stage<'_>,
    rotor: &Rotor,
    expected: &str,
) -> Result<Option<Box<Defect>>, Failure> {
    let namespaces = stage.scene.namespaces();
    let pods = stage.site.pods_with_secrets(&namespaces).await.map_err(Failure::environment)?;
    let file = rotor.file().unwrap_or_default().to_string();
    let place = rotation(stage, rotor)?.kustomizations.first().map(|(_, place)| place.clone());
    let said = match stage.site.refused(&file, expected, REFUSED).await {
        Ok(said) => said,
        Err(error) => {
            let message = format!("Flux does not say `{expected}`: {error}");
            return Ok(Some(unnamed(stage, place, message)));
        }
    };
    let status = format!("Kustomization {}: {}: {}", said.object, said.reason, said.message);
    stage.moments.add(MomentKind::Flux, status.clone());
    print::note(&format!("  {status}"));
    valid(stage).await?;
    let after = stage.site.pods_with_secrets(&namespaces).await.map_err(Failure::environment)?;
    let gone = pods.iter().find(|(uid, _)| !after.contains_key(*uid));
    Ok(gone.map(|(_, name)| unnamed(stage, place, format!("pod {name} did not go on running"))))
}

fn unnamed(stage: &Stage<'_>, location: Option<SourceLocation>, message: String) -> Box<Defect> {
    Box::new(Defect {
        name: "mistake-without-a-name".to_string(),
        summary: "a mistake with a tenant's keys must be named by Flux and change nothing else"
            .to_string(),
        object: format!("Kustomization of {}", stage.scene.subject),
        message,
        location,
        behind: None,
    })
}

/// What the layout's files say of the tenant's key.
fn rotation(stage: &Stage<'_>, rotor: &Rotor) -> Result<Rotation, Failure> {
    let project = &stage.scene.project;
    Rotation::of(&project.layout, &project.contract, &rotor.tenant, None, None)
        .map_err(Failure::usage)
}

/// Without a decryption block Flux applies the sealed text: the meter must see that.
async fn undecrypted(stage: &mut Stage<'_>, rotor: Rotor) -> Result<Keeping, Failure> {
    let rotation = rotation(stage, &rotor)?;
    let layout = &stage.scene.project.layout;
    let files = without_decryption(layout, &rotation).map_err(Failure::usage)?;
    let what = "takes the decryption block of the tenant's Kustomization away";
    stage.commit_sealed(&BTreeMap::new(), &files, what).await?;
    let file = rotor.file().unwrap_or_default().to_string();
    let (must_see_gap, what) = match went_wrong(stage).await {
        Ok(()) => (true, "Flux names nothing, and the sealed text arrives".to_string()),
        Err(error) => match stage.site.refused(&file, "", Duration::from_secs(2)).await {
            Ok(said) => (false, format!("{}: {}: {}", said.object, said.reason, said.message)),
            Err(_) => (true, error),
        },
    };
    stage.moments.add(MomentKind::Flux, what.clone());
    print::note(&format!("  {what}"));
    stage.put_back("puts the layout back").await?;
    valid(stage).await?;
    Ok(Keeping { must_see_gap, ..keeping(stage) })
}

async fn went_wrong(stage: &Stage<'_>) -> Result<(), String> {
    match &stage.secrets {
        Some(secrets) => secrets.wait_wrong(POD).await.map_err(|error| error.to_string()),
        None => Ok(()),
    }
}

/// A changed value must come to a new Secret, a new release and new pods.
async fn change(stage: &mut Stage<'_>, mut rotor: Rotor) -> Result<Keeping, Failure> {
    let namespaces = stage.scene.namespaces();
    let site = &stage.site;
    let names = site.value_secrets(&namespaces).await.map_err(Failure::environment)?;
    let pods = site.pods_with_secrets(&namespaces).await.map_err(Failure::environment)?;
    let before = site.expected(&rotor.tenant);
    let value = partywall_live::nonce().map_err(Failure::environment)?;
    let changed = rotor.change(&before, &value).map_err(Failure::usage)?;
    if let Some(secrets) = &stage.secrets {
        changed.hashes.iter().for_each(|hashes| secrets.accept(hashes.clone()));
    }
    let what = format!("changes the value `{}` of the tenant's sealed file", changed.path);
    sealed(stage, &changed.sealed, &what).await?;
    let mut keeping = keeping(stage);
    let now = stage.site.value_secrets(&namespaces).await.map_err(Failure::environment)?;
    if now == names {
        let message = "the name of the Secret behind valuesFrom did not change with its content";
        keeping.found = Some(stale(stage, message.to_string()));
    } else {
        let new: Vec<String> = now.difference(&names).cloned().collect();
        stage.moments.add(MomentKind::Flux, format!("valuesFrom names {}", new.join(", ")));
    }
    if let Err(late) = stage.site.pods_replaced(&namespaces, &pods, POD).await {
        keeping.found = keeping.found.or_else(|| Some(stale(stage, late.to_string())));
    }
    let given = stage.site.pods_are_given(&namespaces, &changed.hash).await;
    if keeping.found.is_none() && !given.map_err(Failure::environment)? {
        let message = "no Secret that the pods refer to holds the new value";
        keeping.found = Some(stale(stage, message.to_string()));
    }
    stage.put_back("puts the value back").await?;
    valid(stage).await?;
    Ok(keeping)
}

fn stale(stage: &Stage<'_>, message: String) -> Box<Defect> {
    Box::new(Defect {
        name: "changed-value-not-followed".to_string(),
        summary: "a changed value must come to a new Secret, an upgraded release and new pods"
            .to_string(),
        object: format!("Secret of {}", stage.scene.subject),
        message,
        location: stage.scene.place_of("HelmRelease"),
        behind: None,
    })
}
