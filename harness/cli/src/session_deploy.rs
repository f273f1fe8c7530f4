//! Deploying into a session: push, trigger, wait.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::Duration;

use partywall_live::wait::{Poll, Wait, until};
use partywall_live::{
    LayoutSpec, ObjectStatus, PushError, PushOptions, Readiness, ReconcileReport, Session,
    SessionError, apply_key_secrets, clear, layout_digest, push_layout, reconcile,
};
use partywall_offline::defect::FluxObject;
use partywall_runner::Deploy;

use crate::bundle::session_images;
use crate::failure::Failure;
use crate::paths;

const RECONCILE: Duration = Duration::from_secs(180);
/// What each tenant adds: Helm installs a few releases at a time.
const RECONCILE_TENANT: Duration = Duration::from_secs(6);
/// A whole run takes less.
const TURN: Wait = Wait::seconds(600);
/// Names the commit that was last reconciled whole, in the session's folder.
const RECONCILED: &str = "reconciled";
/// Names the origin of the layout that the session holds, in the session's folder.
const ORIGIN: &str = "origin";

/// A session and the layout that is deployed into it.
pub struct SessionDeploy<'a> {
    /// The session.
    pub session: &'a mut Session,
    /// The layout.
    pub spec: LayoutSpec,
    /// Where it comes from, see [`origin_of`].
    pub origin: String,
}

impl Deploy for SessionDeploy<'_> {
    type Error = Failure;

    async fn deploy(
        &mut self,
        replaced: &BTreeMap<String, String>,
    ) -> Result<Vec<FluxObject>, Failure> {
        self.spec.images = session_images(&self.session.bundle.components)?;
        let replace = replaced.iter().map(|(path, text)| (path.clone(), Some(text.clone())));
        let options = PushOptions { replace: replace.collect(), ..PushOptions::default() };
        let client = self.session.client().await.map_err(Failure::environment)?;
        let another = self.is_another_layout()?;
        // What a broken or a mended commit left standing would hide what the next one lacks.
        if another || (replaced.is_empty() && !is_reconciled(self.session)) {
            clear(&client).await.map_err(Failure::environment)?;
        }
        let pushed = push_layout(self.session, &self.spec, &options).await;
        let pushed = pushed.map_err(push_failure)?;
        let keys = apply_key_secrets(&client, self.session, &self.spec.secrets).await;
        keys.map_err(Failure::environment)?;
        let tenants = u32::try_from(self.spec.secrets.len()).unwrap_or(u32::MAX);
        let limit = RECONCILE + RECONCILE_TENANT.saturating_mul(tenants);
        let report = reconcile(&client, self.session, &self.spec.sync, &pushed, limit).await;
        let report = report.map_err(Failure::environment)?;
        if report.timed_out && report.failures().next().is_none() {
            return Err(Failure::environment(format!(
                "Flux did not take up commit {} within {} s\nhint: `repositories` in \
                 partywall.yaml must name the address that {} gives its GitRepository",
                report.commit,
                limit.as_secs(),
                self.spec.sync
            )));
        }
        if replaced.is_empty() {
            mark_reconciled(self.session, &report)?;
        } else {
            fs::write(self.session.file(RECONCILED), "")?;
        }
        Ok(report.objects.into_iter().map(flux_object).collect())
    }
}

impl SessionDeploy<'_> {
    /// Whether the session holds a layout of another origin; remembers the new one.
    fn is_another_layout(&self) -> Result<bool, Failure> {
        let file = self.session.file(ORIGIN);
        let before = fs::read_to_string(&file).ok();
        fs::write(&file, &self.origin)?;
        Ok(before.as_ref() != Some(&self.origin))
    }
}

/// The origin of a layout: its folder, or the folder that a scratch copy was made of.
pub fn origin_of(directory: &Path) -> String {
    let canonical = directory.canonicalize();
    canonical.unwrap_or_else(|_| directory.to_path_buf()).display().to_string()
}

/// Remember which layout `up` has put into the session.
pub fn mark_origin(session: &Session, directory: &Path) -> Result<(), Failure> {
    Ok(fs::write(session.file(ORIGIN), origin_of(directory))?)
}

/// What is wrong with the layout is bad input, everything else is the environment.
fn push_failure(error: PushError) -> Failure {
    match error {
        PushError::NotASecret { .. } | PushError::Layout { .. } => Failure::usage(error),
        _ => Failure::environment(error),
    }
}

/// One object in the words of the offline backend.
pub fn flux_object(object: ObjectStatus) -> FluxObject {
    FluxObject {
        ready: object.readiness == Readiness::Ready,
        kind: object.kind,
        namespace: object.namespace,
        name: object.name,
        reason: object.reason,
        message: object.message,
    }
}

/// Remember that a commit is applied whole, or that none is.
pub fn mark_reconciled(session: &Session, report: &ReconcileReport) -> Result<(), Failure> {
    let commit = if report.all_ready() { report.commit.as_str() } else { "" };
    Ok(fs::write(session.file(RECONCILED), commit)?)
}

/// Remember that the session holds something that is not the layout as it is.
pub fn unmark_reconciled(session: &Session) -> Result<(), Failure> {
    Ok(fs::write(session.file(RECONCILED), "")?)
}

/// Remember that the commit that the session holds is the layout as it is.
pub fn mark_whole(session: &Session) -> Result<(), Failure> {
    let commit = session.pushed.as_ref().map(|pushed| pushed.commit.as_str()).unwrap_or_default();
    Ok(fs::write(session.file(RECONCILED), commit)?)
}

/// Whether the commit that the session holds was applied whole.
pub fn is_reconciled(session: &Session) -> bool {
    let pushed = session.pushed.as_ref().map(|pushed| pushed.commit.clone());
    let whole = fs::read_to_string(session.file(RECONCILED)).ok();
    pushed.is_some() && pushed == whole
}

/// Whether a session holds exactly this layout, applied whole.
pub fn holds(session: &Session, spec: &LayoutSpec) -> Result<bool, Failure> {
    let digest = layout_digest(spec, &PushOptions::default()).map_err(Failure::usage)?;
    Ok(session.layout_digest.as_ref() == Some(&digest) && is_reconciled(session))
}

/// Wait for this process's turn on a session; it ends when the file is dropped. Runs that
/// overlap would lift each other's canary, and a push in the middle of a run would mix two
/// layouts in one verdict.
pub async fn turn(session: &str) -> Result<File, Failure> {
    let directory = Session::directory_of(&paths::state(), session).map_err(Failure::usage)?;
    if !Session::exists(&paths::state(), session) {
        return Err(Failure::environment(SessionError::Missing { name: session.to_string() }));
    }
    let file = File::create(directory.join("turn"))?;
    let waited = until("this run's turn on the session", TURN, || async {
        match file.try_lock() {
            Ok(()) => Poll::Ready(()),
            Err(TryLockError::WouldBlock) => Poll::not_yet("another run is using the session"),
            Err(TryLockError::Error(error)) => Poll::Failed(error),
        }
    });
    waited.await.map_err(Failure::environment)?;
    Ok(file)
}
