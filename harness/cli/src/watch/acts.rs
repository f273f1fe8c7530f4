//! What is done in each experiment, and what it may open.

use std::time::Duration;

use partywall_core::event::MomentKind;
use partywall_core::exposure::{Expectation, Finding};
use partywall_live::watch::Followed;
use partywall_offline::change::{self, Change};
use partywall_tool::Tool;

use super::plan::Trial;
use super::stage::Stage;
use crate::failure::Failure;
use crate::print;
use crate::session_deploy::{mark_whole, unmark_reconciled};

const RESTART: Duration = Duration::from_secs(90);
/// A layout whose interval is longer is not waited for.
const INTERVAL_MAX: Duration = Duration::from_secs(60);
/// A command may be an upgrade.
const COMMAND: Duration = Duration::from_secs(1200);
const FLUX: (&str, &str) = ("flux-system", "app=kustomize-controller");

/// Does what the experiment does, from edges that are as contracted to edges that are so again.
pub async fn act(trial: Trial, stage: &mut Stage<'_>) -> Result<Expectation, Failure> {
    match trial {
        Trial::PolicyRemoved => {
            tear(stage, change::without_policies, "takes the policies away").await
        }
        Trial::PolicyWidened => tear(stage, change::widened, "widens a policy").await,
        Trial::PolicyRenamed => rename(stage).await,
        Trial::ControllerRestart => rename_under_restart(stage).await,
        Trial::NetworkPluginRestart => restart_plugin(stage).await,
        Trial::Drift => drift(stage).await,
        Trial::PolicyAdded | Trial::Established => put_up(stage, trial).await,
        Trial::TenantLeaving => leave(stage).await,
        Trial::TenantLeavingInSteps => leave_in_steps(stage).await,
        Trial::TenantBorn => super::born::be_born(stage).await,
        Trial::KeyRotated
        | Trial::KeyRevokedFirst
        | Trial::WrongRecipient
        | Trial::KeySecretMissing
        | Trial::KeyEntryMisnamed
        | Trial::DecryptionRemoved
        | Trial::SecretChanged => {
            Err(Failure::usage(format!("{} is about Secrets, not about edges", trial.name())))
        }
    }
}

fn expect(finding: Finding, stage: &Stage<'_>, must_recover: bool) -> Expectation {
    Expectation {
        open_allowed: stage.open_allowed.clone(),
        finding,
        must_recover,
        is_lasting: true,
    }
}

type Edit = fn(&change::Ground<'_>, &str) -> Result<Change, change::ChangeError>;

fn edited(stage: &Stage<'_>, edit: Edit) -> Result<Change, Failure> {
    edit(&stage.scene.ground(), &stage.scene.subject).map_err(Failure::usage)
}

/// Opens by one commit and closes by the next.
async fn tear(stage: &mut Stage<'_>, edit: Edit, what: &str) -> Result<Expectation, Failure> {
    let change = edited(stage, edit)?;
    let torn_us = stage.now_us();
    let pushed = stage.commit(&change, what).await?;
    stage.commit = Some(pushed.commit.clone());
    stage.follow(&pushed).await?;
    stage.torn_open().await;
    stage.put_back("puts the layout back").await?;
    stage.as_contracted("again").await;
    stage.allow_since(torn_us);
    let summary = "a forbidden edge was open before its policy changed, or after it was put back";
    Ok(expect(stage.finding("open-beyond-the-change", summary, "NetworkPolicy"), stage, true))
}

/// Policies where there were none: what was open before may be.
async fn put_up(stage: &mut Stage<'_>, trial: Trial) -> Result<Expectation, Failure> {
    stage.torn_open().await;
    let pushed = stage.put_back("puts the policies up").await?;
    stage.commit = Some(pushed.commit);
    if trial == Trial::Established {
        // What is established may outlive the wall: it is recorded and not waited for.
        stage.a_second_more().await;
        stage.open_allowed = vec![partywall_core::exposure::Window { from_us: 0, to_us: u64::MAX }];
    } else {
        stage.as_contracted("once the policies stand").await;
        stage.allow_since(0);
    }
    let summary = "a forbidden edge was open after its policies were put up";
    let finding = stage.finding("open-beyond-the-change", summary, "NetworkPolicy");
    Ok(expect(finding, stage, trial != Trial::Established))
}

const RENAME_GAP: &str = "a policy was taken away before the one of the new name stood. Give the \
                          new policy its name in one commit and take the old one away in the next";

async fn rename(stage: &mut Stage<'_>) -> Result<Expectation, Failure> {
    let change = edited(stage, change::renamed)?;
    let pushed = stage.commit(&change, "renames the policies").await?;
    stage.commit = Some(pushed.commit.clone());
    stage.follow(&pushed).await?;
    stage.as_contracted("after the renaming").await;
    stage.put_back("puts the layout back").await?;
    stage.as_contracted("again").await;
    Ok(expect(stage.finding("rename-opens-a-gap", RENAME_GAP, "NetworkPolicy"), stage, true))
}

async fn rename_under_restart(stage: &mut Stage<'_>) -> Result<Expectation, Failure> {
    let change = edited(stage, change::renamed)?;
    let pushed = stage.commit(&change, "renames the policies").await?;
    stage.commit = Some(pushed.commit.clone());
    stage.moments.add(MomentKind::Hand, format!("{} in {} deleted", FLUX.1, FLUX.0));
    stage.site.restart(FLUX.0, FLUX.1, RESTART).await.map_err(Failure::environment)?;
    stage.moments.add(MomentKind::Hand, format!("{} in {} is back", FLUX.1, FLUX.0));
    stage.follow(&pushed).await?;
    stage.as_contracted("after the restart").await;
    stage.put_back("puts the layout back").await?;
    stage.as_contracted("again").await;
    Ok(expect(stage.finding("restart-opens-a-gap", RENAME_GAP, "NetworkPolicy"), stage, true))
}

async fn restart_plugin(stage: &mut Stage<'_>) -> Result<Expectation, Failure> {
    let plugin = stage.site.network_plugin().await.map_err(Failure::environment)?;
    let plugin = plugin.ok_or_else(|| {
        Failure::environment("the network plugin of this cluster is not one that is known here")
    })?;
    stage.moments.add(MomentKind::Hand, format!("the agents of {} deleted", plugin.name));
    let restarted = stage.site.restart(plugin.namespace, plugin.label, RESTART).await;
    restarted.map_err(Failure::environment)?;
    stage.moments.add(MomentKind::Hand, format!("the agents of {} are back", plugin.name));
    stage.as_contracted("after the restart").await;
    let finding = Finding {
        name: "restart-opens-a-gap".to_string(),
        summary: "the network plugin stops enforcing while its agents restart".to_string(),
        object: plugin.name,
        location: None,
    };
    Ok(expect(finding, stage, true))
}

async fn drift(stage: &mut Stage<'_>) -> Result<Expectation, Failure> {
    let namespaces = stage.scene.namespaces();
    unmark_reconciled(stage.site.session())?;
    let torn_us = stage.now_us();
    let deleted = stage.site.delete_policies(&namespaces).await.map_err(Failure::environment)?;
    let what = format!("{deleted} policies of {} deleted", stage.scene.subject);
    stage.moments.add(MomentKind::Hand, what);
    stage.torn_open().await;
    let interval = interval_of_policies(stage);
    match interval {
        Some(interval) if interval <= INTERVAL_MAX => {
            print::note(&format!("  waiting for Flux's own interval, {} s", interval.as_secs()));
        }
        _ => {
            let interval = interval.map_or_else(
                || "spec.interval".to_string(),
                |interval| format!("spec.interval ({} s)", interval.as_secs()),
            );
            let what = format!(
                "Kustomizations asked to look: by themselves they would after up to {interval}"
            );
            stage.moments.add(MomentKind::Hand, what);
            stage.site.trigger_kustomizations().await.map_err(Failure::environment)?;
        }
    }
    let limit = interval.filter(|interval| *interval <= INTERVAL_MAX).unwrap_or_default();
    let condition = "every edge as the contract wants it once Flux has healed the drift";
    let limit = limit + Duration::from_secs(30);
    let healed =
        stage.meter.wait_for(condition, stage.enough(), limit, |edge| Some(!edge.forbidden));
    match healed.await {
        Ok(()) => mark_whole(stage.site.session())?,
        Err(error) => print::note(&format!("  {error}")),
    }
    stage.allow_since(torn_us);
    let summary = "Flux did not put a policy back that was deleted by hand";
    Ok(expect(stage.finding("drift-is-not-healed", summary, "NetworkPolicy"), stage, true))
}

/// How long Flux leaves the subject's policies alone.
fn interval_of_policies(stage: &Stage<'_>) -> Option<Duration> {
    let scene = stage.scene;
    let namespaces = scene.namespaces();
    let mut policies = scene.rendered.of_kind("NetworkPolicy");
    let policy = policies.find(|object| namespaces.iter().any(|own| own == object.namespace()))?;
    let mut objects = scene.rendered.objects.iter();
    let by = objects.find(|object| object.label() == policy.applied_by)?;
    seconds(by.text(&["spec", "interval"])?)
}

/// Go's durations, as far as intervals are written: `1h30m`, `10m`, `30s`.
fn seconds(text: &str) -> Option<Duration> {
    let (mut total, mut number) = (0_u64, String::new());
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            number.push(letter);
            continue;
        }
        let unit = match letter {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total += std::mem::take(&mut number).parse::<u64>().ok()? * unit;
    }
    number.is_empty().then_some(Duration::from_secs(total))
}

const LEAVING_GAP: &str = "Flux takes a tenant's policies away while its pods still run. Take the \
                           workloads away in one commit, and namespace and policies in the next \
                           (`tenant-leaving-in-steps`)";

fn expect_of_leaving(stage: &Stage<'_>) -> Expectation {
    let name = "policy-removed-before-workload";
    let finding = stage.finding(name, LEAVING_GAP, "NetworkPolicy");
    Expectation { is_lasting: false, ..expect(finding, stage, true) }
}

/// How long a tenant may take to leave.
const LEAVING: Duration = Duration::from_secs(45);

async fn leave(stage: &mut Stage<'_>) -> Result<Expectation, Failure> {
    let change = edited(stage, change::without_tenant)?;
    let pushed = stage.commit(&change, "takes the tenant away").await?;
    stage.commit = Some(pushed.commit.clone());
    let namespaces = stage.scene.namespaces();
    let gone = match stage.site.follow(&pushed, LEAVING).await {
        Followed::Applied => stage.site.gone(&namespaces, LEAVING).await,
        late @ Followed::NotInTime(_) => late,
    };
    if let Followed::NotInTime(last) = gone {
        // Its rights may be gone before what they are needed for; what was open until now counts.
        let what = format!("the tenant is not gone after {} s: {last}", LEAVING.as_secs());
        print::note(&format!("  {what}"));
        stage.moments.add(MomentKind::Hand, what);
    }
    Ok(expect_of_leaving(stage))
}

async fn leave_in_steps(stage: &mut Stage<'_>) -> Result<Expectation, Failure> {
    let workloads = edited(stage, change::without_kustomizations)?;
    let pushed = stage.commit(&workloads, "takes the tenant's workloads away").await?;
    stage.commit = Some(pushed.commit.clone());
    stage.follow(&pushed).await?;
    super::born::until_empty(stage).await?;
    let whole = edited(stage, change::without_tenant)?;
    let pushed = stage.commit(&whole, "takes the tenant's namespace and policies away").await?;
    stage.follow(&pushed).await?;
    super::born::until_gone(stage).await?;
    Ok(expect_of_leaving(stage))
}

/// Runs a shell command; nothing may open meanwhile.
pub async fn run_command(command: &str, stage: &mut Stage<'_>) -> Result<Expectation, Failure> {
    let session = stage.site.session();
    let tool = Tool::new("sh")
        .args(["-c", command])
        .env("PARTYWALL_SESSION", &session.name)
        .env("KUBECONFIG", session.kubeconfig())
        .timeout(COMMAND);
    stage.moments.add(MomentKind::Hand, format!("`{command}` begins"));
    let ran = tokio::task::spawn_blocking(move || tool.run()).await;
    stage.moments.add(MomentKind::Hand, format!("`{command}` has ended"));
    ran.map_err(Failure::environment)?.map_err(Failure::environment)?;
    stage.as_contracted("after the command").await;
    let finding = Finding {
        name: "command-opens-a-gap".to_string(),
        summary: "a forbidden edge was open while the command ran".to_string(),
        object: command.to_string(),
        location: None,
    };
    Ok(expect(finding, stage, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_as_go_writes_them() {
        let told = |text| seconds(text).map(|interval| interval.as_secs());
        assert_eq!(told("10m"), Some(600));
        assert_eq!(told("1h30m5s"), Some(5405));
        assert_eq!(told("30"), None);
        assert_eq!(told("5d"), None);
    }
}
