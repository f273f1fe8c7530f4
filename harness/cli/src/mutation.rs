//! Putting a changed layout into a session, judging it there, and putting the layout back.

use std::path::Path;

use partywall_core::plan::Trial;
use partywall_live::{LayoutSpec, RepositorySpec, Session};
use partywall_runner::{Deployed, Project, RunOutcome, deploy_with_scratch_mends, load_project};

use crate::commands::{block_on, judge, load_session};
use crate::failure::Failure;
use crate::print;
use crate::project::layout_spec;
use crate::session_deploy::{SessionDeploy, holds, origin_of, turn};

const REPEAT: &str = "partywall test {trial}";

/// A layout that is changed in scratch copies, and the session that they are put into.
#[derive(Clone, Copy)]
pub struct Home<'a> {
    /// The session.
    pub session: &'a str,
    /// The layout as it is written.
    pub base: &'a Path,
    /// Private keys for its committed secrets, where the user named some.
    pub keys: Option<&'a Path>,
}

impl Home<'_> {
    /// A scratch copy's layout, with the repositories and keys of the original.
    pub fn spec_of(&self, project: &Project) -> LayoutSpec {
        let original = Project { directory: self.base.to_path_buf(), ..project.clone() };
        let mut spec = layout_spec(&original, self.keys);
        let absolute = |repository: &RepositorySpec| RepositorySpec {
            url: repository.url.clone(),
            path: match repository.path.as_str() {
                "." => ".".to_string(),
                path => self.base.join(path).display().to_string(),
            },
        };
        spec.repositories = spec.repositories.iter().map(absolute).collect();
        spec.directory.clone_from(&project.directory);
        spec
    }

    /// Deploy a scratch copy, and judge these trials on what comes of it.
    pub async fn judged(&self, project: &Project, trials: &[Trial]) -> Result<RunOutcome, Failure> {
        let _turn = turn(self.session).await?;
        let (session, deployed) = self.deploy(project, self.spec_of(project)).await?;
        judge(session, project, trials, &deployed, REPEAT).await
    }

    /// Judge these trials on the layout as it is written. A session that an earlier run left in
    /// the middle of something gets the layout first.
    pub async fn judged_as_written(
        &self,
        project: &Project,
        trials: &[Trial],
    ) -> Result<RunOutcome, Failure> {
        let _turn = turn(self.session).await?;
        let (session, deployed) = if self.holds_it(project)? {
            (load_session(self.session)?, Deployed { ready: true, ..Deployed::default() })
        } else {
            let (session, base) = (self.session, self.base.display());
            print::note(&format!("session `{session}` does not hold {base}: putting it there"));
            self.deploy(project, layout_spec(project, self.keys)).await?
        };
        judge(session, project, trials, &deployed, REPEAT).await
    }

    /// The caller has this process's turn.
    async fn deploy(
        &self,
        project: &Project,
        spec: LayoutSpec,
    ) -> Result<(Session, Deployed), Failure> {
        let mut session = load_session(self.session)?;
        let origin = origin_of(self.base);
        let mut deploy = SessionDeploy { session: &mut session, spec, origin };
        let deployed = deploy_with_scratch_mends(&mut deploy, &project.layout, &[]).await?;
        Ok((session, deployed))
    }

    /// Whether the session holds exactly the layout as it is written, applied whole.
    fn holds_it(&self, project: &Project) -> Result<bool, Failure> {
        holds(&load_session(self.session)?, &layout_spec(project, self.keys))
    }

    /// Do something that leaves changed layouts in the session, and put the layout back, however
    /// it ends: an interrupt ends the work and not the putting back.
    pub fn restoring<T>(&self, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        let done = work();
        if let Err(failure) = &done {
            let first = failure.message.lines().next().unwrap_or_default();
            print::note(&format!("{first}; putting {} back", self.base.display()));
        }
        let restored = block_on(self.put_back());
        match (done, restored) {
            (Ok(done), Ok(())) => Ok(done),
            (Err(failure), Ok(())) => {
                print::note(&format!("session `{}` holds the layout again", self.session));
                Err(failure)
            }
            (_, Err(failure)) => Err(Failure {
                message: format!(
                    "session `{}` does not hold {} again: {}\nhint: the next `partywall test`, \
                     `up` or `mutate` puts it there",
                    self.session,
                    self.base.display(),
                    failure.message
                ),
                exit: failure.exit,
            }),
        }
    }

    /// Deploy the layout as it is written, and see that it is applied whole.
    async fn put_back(&self) -> Result<(), Failure> {
        let project = load_project(self.base)?;
        let _turn = turn(self.session).await?;
        let (_session, deployed) = self.deploy(&project, layout_spec(&project, self.keys)).await?;
        // A layout with defects of its own never is whole, and stands mended as it did before.
        let has_defects = !deployed.defects.is_empty();
        if deployed.ready && (has_defects || self.holds_it(&project)?) {
            return Ok(());
        }
        Err(Failure::environment("the layout does not become ready again"))
    }
}
