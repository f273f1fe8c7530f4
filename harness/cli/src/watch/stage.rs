//! What an experiment stands on: a site, the layout's files and objects, the meter, the moments.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use partywall_core::event::{Defect, MomentKind};
use partywall_core::exposure::{Edge, Finding, Window, edges};
use partywall_core::inventory::{Inventory, OPEN_NAMESPACE};
use partywall_core::source::SourceLocation;
use partywall_live::Pushed;
use partywall_live::watch::{Followed, Meter, MeterSettings, Moments, SecretMeter, Site};
use partywall_offline::change::{self, Change, Ground};
use partywall_offline::render::Rendered;
use partywall_offline::wiring::WORKLOAD_BEFORE_POLICY;
use partywall_runner::Project;
use tokio::task::JoinSet;

use crate::failure::Failure;
use crate::print;
use crate::session_deploy::{mark_whole, unmark_reconciled};

/// How long Flux may take to a commit. A layout's own retries are part of it.
const FOLLOW: Duration = Duration::from_secs(150);
/// How long the data plane may take once Flux has applied a commit.
const REALISED: Duration = Duration::from_secs(20);

/// The layout that experiments change.
pub struct Scene {
    /// Its files and its contract.
    pub project: Project,
    /// What Flux makes of it.
    pub rendered: Rendered,
    /// What is wrong with it by its files.
    pub findings: Vec<Defect>,
    /// The tenant that is changed.
    pub subject: String,
}

impl Scene {
    /// For changes.
    pub fn ground(&self) -> Ground<'_> {
        let Self { project, rendered, .. } = self;
        Ground { layout: &project.layout, rendered, contract: &project.contract }
    }

    /// Namespaces of the subject.
    pub fn namespaces(&self) -> Vec<String> {
        let tenant = self.project.contract.tenant(&self.subject);
        tenant.map(|tenant| tenant.namespaces.clone()).unwrap_or_default()
    }

    /// What the files say of the order in which the subject's workloads and policies come.
    pub fn wrong_order(&self) -> Option<Finding> {
        let own = change::tenant_kustomizations(&self.ground(), &self.subject);
        let mut findings = self.findings.iter();
        let found =
            findings.find(|one| one.name == WORKLOAD_BEFORE_POLICY && own.contains(&one.object))?;
        Some(Finding {
            name: found.name.clone(),
            summary: found.summary.clone(),
            object: found.object.clone(),
            location: found.location.clone(),
        })
    }

    /// Where the first object of a kind that the subject has is written.
    pub fn place_of(&self, kind: &str) -> Option<SourceLocation> {
        let namespaces = self.namespaces();
        let mut found = self.rendered.of_kind(kind);
        found
            .find(|object| namespaces.iter().any(|own| own == object.namespace()))
            .map(|object| object.origin.clone())
    }
}

/// An experiment under way.
pub struct Stage<'a> {
    /// The session.
    pub site: &'a mut Site,
    /// The layout.
    pub scene: &'a Scene,
    /// What stood when it began.
    pub inventory: Inventory,
    /// The meter.
    pub meter: Meter,
    /// Its settings.
    pub settings: MeterSettings,
    /// What turned.
    pub moments: Moments,
    /// When forbidden edges may be open: what the experiment tears open itself.
    pub open_allowed: Vec<Window>,
    /// The commit that made the change.
    pub commit: Option<String>,
    /// What looks at the subject's Secrets, in an experiment about them.
    pub secrets: Option<SecretMeter>,
    _watches: JoinSet<()>,
}

impl<'a> Stage<'a> {
    /// Begins with the edges around the subject.
    pub async fn begin(
        site: &'a mut Site,
        scene: &'a Scene,
        inventory: Inventory,
        settings: MeterSettings,
    ) -> Result<Self, Failure> {
        let edges = edges(&scene.project.contract, &inventory, &scene.subject);
        Self::begin_with(site, scene, inventory, settings, edges).await
    }

    /// Begins with these edges.
    pub async fn begin_with(
        site: &'a mut Site,
        scene: &'a Scene,
        inventory: Inventory,
        settings: MeterSettings,
        edges: Vec<Edge>,
    ) -> Result<Self, Failure> {
        let meter = site.meter(edges, settings);
        let moments = Moments::new(meter.record().begun_us());
        let namespaces: BTreeSet<String> = scene.namespaces().into_iter().collect();
        let watches = site.watch(&namespaces, &moments).await.map_err(Failure::environment)?;
        Ok(Self {
            site,
            scene,
            inventory,
            meter,
            settings,
            moments,
            open_allowed: Vec::new(),
            commit: None,
            secrets: None,
            _watches: watches,
        })
    }

    /// Probes of one second: what is seen of them all is no accident.
    pub fn enough(&self) -> usize {
        self.settings.per_second as usize
    }

    /// Waits until every edge is as the contract wants it; says so where one is not.
    pub async fn as_contracted(&self, when: &str) -> bool {
        let condition = format!("every edge as the contract wants it {when}");
        let waited = self
            .meter
            .wait_for(&condition, self.enough(), REALISED, |edge| Some(!edge.forbidden))
            .await;
        self.told(waited.map_err(|error| error.to_string()))
    }

    /// Waits until the edges to and from the policy-free namespace are open.
    pub async fn torn_open(&self) -> bool {
        let condition = "the edges of the policy-free namespace open";
        let waited = self.meter.wait_for(condition, self.enough(), REALISED, |edge| {
            let is_open = |label: &str| label.starts_with(OPEN_NAMESPACE);
            (is_open(&edge.from_label) || is_open(&edge.to_label)).then_some(true)
        });
        self.told(waited.await.map_err(|error| error.to_string()))
    }

    /// Waits for a second's probes of every edge, whatever they tell.
    pub async fn a_second_more(&self) {
        let from = self.meter.record().now_us();
        let waited = self.meter.told_since(from + 1_000_000, REALISED).await;
        self.told(waited.map_err(|error| error.to_string()));
    }

    fn told(&self, waited: Result<(), String>) -> bool {
        if let Err(reason) = &waited {
            print::note(&format!("  {reason}"));
        }
        waited.is_ok()
    }

    /// Pushes a change and asks the source to look. Nothing else is asked for.
    pub async fn commit(&mut self, change: &Change, what: &str) -> Result<Pushed, Failure> {
        unmark_reconciled(self.site.session())?;
        let pushed = self.site.push(&change.files).await.map_err(Failure::environment)?;
        let short: String = pushed.commit.chars().take(10).collect();
        self.moments.add(MomentKind::Git, format!("{short} {what}"));
        self.site.trigger().await.map_err(Failure::environment)?;
        Ok(pushed)
    }

    /// Pushes sealed files as they are, with these others, and asks the source to look.
    pub async fn commit_sealed(
        &mut self,
        sealed: &BTreeMap<String, String>,
        files: &BTreeMap<String, String>,
        what: &str,
    ) -> Result<Pushed, Failure> {
        unmark_reconciled(self.site.session())?;
        let pushed = self.site.push_sealed(sealed, files).await.map_err(Failure::environment)?;
        let short: String = pushed.commit.chars().take(10).collect();
        self.moments.add(MomentKind::Git, format!("{short} {what}"));
        self.commit.get_or_insert_with(|| pushed.commit.clone());
        self.site.trigger().await.map_err(Failure::environment)?;
        Ok(pushed)
    }

    /// Puts the layout back by a commit, and waits until Flux has applied it.
    pub async fn put_back(&mut self, what: &str) -> Result<Pushed, Failure> {
        let pushed = self.commit(&Change::default(), what).await?;
        self.follow(&pushed).await?;
        mark_whole(self.site.session())?;
        Ok(pushed)
    }

    /// Waits until Flux has applied a commit.
    pub async fn follow(&self, pushed: &Pushed) -> Result<(), Failure> {
        match self.site.follow(pushed, FOLLOW).await {
            Followed::Applied => Ok(()),
            Followed::NotInTime(last) => Err(Failure::environment(format!(
                "Flux did not apply commit {} within {} s; last seen: {last}",
                pushed.commit,
                FOLLOW.as_secs()
            ))),
        }
    }

    /// Now, in microseconds since the meter began.
    pub fn now_us(&self) -> u64 {
        self.meter.record().now_us()
    }

    /// Forbidden edges may be open from this time on until now.
    pub fn allow_since(&mut self, from_us: u64) {
        let to_us = self.now_us();
        self.open_allowed.push(Window { from_us, to_us });
    }

    /// A finding of this layout.
    pub fn finding(&self, name: &str, summary: &str, kind: &str) -> Finding {
        Finding {
            name: name.to_string(),
            summary: summary.to_string(),
            object: format!("{kind} of {}", self.scene.subject),
            location: self.scene.place_of(kind),
        }
    }
}
