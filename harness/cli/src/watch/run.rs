//! One experiment after another.

use std::time::Duration;

use partywall_core::event::{Event, Experiment};
use partywall_core::exposure::{
    EdgeRecord, Expectation, Judgement, Keeping, edges, exposure, judge, judge_kept,
};
use partywall_core::{Cluster, Deadline, Exit};
use partywall_live::LiveCluster;
use partywall_live::watch::{Followed, MeterSettings, SecretMeter, Site};
use partywall_offline::change::{self, Change, ChangeError};

use super::acts::act;
use super::measure::{Times, data_plane};
use super::plan::Trial;
use super::stage::{Scene, Stage};
use crate::failure::Failure;
use crate::print;
use crate::session_deploy::{is_reconciled, unmark_reconciled};

const PREPARE: Deadline = Deadline(Duration::from_secs(120));
const FOLLOW: Duration = Duration::from_secs(150);
/// How long a probe is waited for: on a pod network of one machine an answer takes a millisecond,
/// and a connection is asked for a second time after one second, which would tell of that moment.
const TIMEOUT: Duration = Duration::from_millis(800);

/// What is done under the meter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// An experiment.
    Trial(Trial),
    /// Somebody's own command, which must open nothing.
    Command(String),
}

impl Act {
    fn name(&self) -> String {
        match self {
            Self::Trial(trial) => trial.name(),
            Self::Command(_) => "while".to_string(),
        }
    }

    fn summary(&self) -> String {
        match self {
            Self::Trial(trial) => trial.summary(),
            Self::Command(command) => format!("`{command}` runs"),
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is done, in this order.
    pub acts: Vec<Act>,
    /// Probes a second and edge.
    pub per_second: u32,
    /// How often each is done.
    pub repeat: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Experiments and distributions.
    pub events: Vec<Event>,
    /// The worst.
    pub exit: Option<Exit>,
    /// Whether too little is known of any experiment.
    pub is_undetermined: bool,
    /// Whether what was written is free of secret values.
    pub leaks: Option<Exit>,
}

/// Does every experiment. The session holds whatever the last one left: the caller restores it.
pub async fn run(
    request: &Request,
    site: &mut Site,
    scene: &Scene,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    let plugin = site.network_plugin().await.map_err(Failure::environment)?;
    let plugin = plugin.map_or_else(|| "an unknown network plugin".to_string(), |found| found.name);
    let mut times = Times::default();
    for act in &request.acts {
        for round in 1..=request.repeat {
            print::note(&format!("{} ({round} of {})", act.name(), request.repeat));
            let runner = Runner { request, scene, plugin: &plugin };
            let (experiment, judgement) = runner.one(act, site).await?;
            times.note(&experiment);
            outcome.note(experiment, &judgement);
        }
    }
    outcome.events.extend(times.distributions(&plugin).into_iter().map(Event::Measured));
    Ok(())
}

impl Outcome {
    fn note(&mut self, experiment: Experiment, judgement: &Judgement) {
        let exit = match judgement {
            Judgement::Holds => Exit::Holds,
            Judgement::Violated(_) => Exit::Violated,
            Judgement::Undetermined(reason) => {
                print::note(&format!("  undetermined: {reason}"));
                self.is_undetermined = true;
                Exit::Undetermined
            }
        };
        self.exit = Some(self.exit.map_or(exit, |worst| worst.and(exit)));
        self.events.push(Event::ExperimentFinished(experiment));
    }
}

struct Runner<'a> {
    request: &'a Request,
    scene: &'a Scene,
    plugin: &'a str,
}

impl Runner<'_> {
    async fn one(&self, doing: &Act, site: &mut Site) -> Result<(Experiment, Judgement), Failure> {
        self.set_up(doing, site).await?;
        // The canary bites here, before anything is believed.
        let cluster = LiveCluster::attach(site.session().clone()).await?;
        let inventory = cluster.prepare(&self.scene.project.contract, PREPARE).await?;
        let settings = MeterSettings { per_second: self.request.per_second, timeout: TIMEOUT };
        let mut stage = match doing {
            Act::Trial(Trial::TenantBorn) => {
                Stage::begin_with(site, self.scene, inventory, settings, Vec::new()).await?
            }
            Act::Trial(Trial::Established) => {
                let contract = &self.scene.project.contract;
                let around = edges(contract, &inventory, &self.scene.subject);
                let steady =
                    around.iter().cloned().map(partywall_core::exposure::Edge::established);
                let all = steady.chain(around.iter().cloned()).collect();
                Stage::begin_with(site, self.scene, inventory, settings, all).await?
            }
            Act::Trial(trial) if trial.is_about_secrets() => {
                Stage::begin_with(site, self.scene, inventory, settings, Vec::new()).await?
            }
            _ => Stage::begin(site, self.scene, inventory, settings).await?,
        };
        if let Act::Trial(trial) = doing
            && trial.is_about_secrets()
        {
            let keeping = super::secrets::act(*trial, &mut stage).await?;
            let told = self.finish_kept(doing, stage, &keeping).await;
            cluster.conclude(PREPARE).await?;
            return Ok(told);
        }
        let expectation = match doing {
            Act::Trial(trial @ (Trial::TenantBorn | Trial::PolicyAdded | Trial::Established)) => {
                act(*trial, &mut stage).await?
            }
            Act::Trial(trial) => {
                stage.as_contracted("before anything changes").await;
                act(*trial, &mut stage).await?
            }
            Act::Command(command) => {
                stage.as_contracted("before anything changes").await;
                super::acts::run_command(command, &mut stage).await?
            }
        };
        let told = self.finish(doing, stage, &expectation).await;
        cluster.conclude(PREPARE).await?;
        Ok(told)
    }

    /// The layout that the experiment begins with, where it is not the layout itself.
    async fn set_up(&self, doing: &Act, site: &mut Site) -> Result<(), Failure> {
        let (ground, subject) = (self.scene.ground(), &self.scene.subject);
        let namespaces = self.scene.namespaces();
        match doing {
            Act::Trial(Trial::PolicyAdded | Trial::Established) => {
                begin_without(site, change::without_policies(&ground, subject)).await
            }
            Act::Trial(Trial::TenantBorn) => {
                // In one commit, the rights of the tenant's account may go before its objects.
                begin_without(site, change::without_kustomizations(&ground, subject)).await?;
                site.empty(&namespaces, FOLLOW).await;
                begin_without(site, change::without_tenant(&ground, subject)).await?;
                match site.gone(&namespaces, FOLLOW).await {
                    Followed::Applied => Ok(()),
                    Followed::NotInTime(last) => Err(Failure::environment(last)),
                }
            }
            _ if is_reconciled(site.session()) => Ok(()),
            _ => super::restore::restore(site).await,
        }
    }

    async fn finish(
        &self,
        doing: &Act,
        stage: Stage<'_>,
        expectation: &Expectation,
    ) -> (Experiment, Judgement) {
        let mut experiment = self.experiment(doing, &stage, self.request.per_second);
        let period_us = stage.settings.period_us();
        let records: Vec<EdgeRecord> = stage.meter.finish().await;
        experiment.edges = records.iter().map(|record| exposure(record, period_us)).collect();
        experiment.moments.extend(data_plane(&experiment.edges));
        experiment.moments.sort_by_key(|moment| (moment.at_us, moment.kind));
        let judgement = judge(&experiment, expectation);
        if let Judgement::Violated(defect) = &judgement {
            experiment.finding = Some((**defect).clone());
        }
        (experiment, judgement)
    }
}

impl Runner<'_> {
    /// What an experiment is so far, without what its meter tells.
    fn experiment(&self, doing: &Act, stage: &Stage<'_>, per_second: u32) -> Experiment {
        let elapsed_us = stage.now_us();
        let mut moments = stage.moments.all();
        moments.retain(|moment| moment.at_us <= elapsed_us);
        Experiment {
            name: doing.name(),
            summary: format!("{}: {}", self.scene.subject, doing.summary()),
            layout: self.scene.project.directory.display().to_string(),
            commit: stage.commit.clone(),
            network_plugin: self.plugin.to_string(),
            rate_per_second: per_second,
            elapsed_us,
            moments,
            edges: Vec::new(),
            finding: None,
        }
    }

    /// The end of an experiment about Secrets.
    async fn finish_kept(
        &self,
        doing: &Act,
        mut stage: Stage<'_>,
        keeping: &Keeping,
    ) -> (Experiment, Judgement) {
        let mut experiment = self.experiment(doing, &stage, SecretMeter::per_second());
        if let Some(secrets) = stage.secrets.take() {
            experiment.edges = secrets.finish().await;
        }
        let judgement = judge_kept(&experiment, keeping);
        if let Judgement::Violated(defect) = &judgement {
            experiment.finding = Some((**defect).clone());
        }
        (experiment, judgement)
    }
}

/// Lets the session hold a changed layout before anything is measured.
async fn begin_without(
    site: &mut Site,
    change: Result<Change, ChangeError>,
) -> Result<(), Failure> {
    let change = change.map_err(Failure::usage)?;
    unmark_reconciled(site.session())?;
    let pushed = site.push(&change.files).await.map_err(Failure::environment)?;
    site.trigger().await.map_err(Failure::environment)?;
    match site.follow(&pushed, FOLLOW).await {
        Followed::Applied => Ok(()),
        Followed::NotInTime(last) => Err(Failure::environment(format!(
            "Flux did not apply the commit that the experiment begins with: {last}"
        ))),
    }
}
