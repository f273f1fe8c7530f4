//! `partywall push`: the working tree through Git into the session.

use std::collections::BTreeMap;
use std::time::Instant;

use partywall_core::Exit;
use partywall_runner::Deploy;

use super::run::block_on;
use super::test::load_session;
use crate::args::Push;
use crate::failure::Failure;
use crate::print;
use crate::project::{layout_spec, project};
use crate::session_deploy::{SessionDeploy, origin_of, turn};

/// Run `partywall push`.
pub fn push(arguments: &Push) -> Result<Exit, Failure> {
    let project = project(&arguments.layout)?;
    let spec = layout_spec(&project, arguments.layout.keys.as_deref());
    let origin = origin_of(&project.directory);
    let started = Instant::now();
    let objects = block_on(async {
        let _turn = turn(&arguments.name.session).await?;
        let mut session = load_session(&arguments.name.session)?;
        let mut deploy = SessionDeploy { session: &mut session, spec, origin };
        deploy.deploy(&BTreeMap::new()).await
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let mut exit = Exit::Holds;
    for object in objects.iter().filter(|object| !object.ready) {
        exit = Exit::Violated;
        let place = format!("{} {}/{}", object.kind, object.namespace, object.name);
        print::result(&format!("not ready: {place}: {}: {}", object.reason, object.message));
    }
    let ready = objects.iter().filter(|object| object.ready).count();
    print::result(&format!("{ready} of {} Flux objects ready after {seconds:.1} s", objects.len()));
    Ok(exit)
}
