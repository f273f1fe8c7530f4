//! `partywall up`.

use partywall_core::Exit;
use partywall_core::Provision;
use partywall_live::{ErrorKind, IpFamily, Kind, KindError, Session, UpSpec};
use partywall_offline::defect::clean;

use super::doctor::docker_answers;
use super::run::block_on;
use crate::args::{IpFamilyChoice, Up};
use crate::bundle;
use crate::failure::Failure;
use crate::progress::Bars;
use crate::project::{layout_spec, project};
use crate::session_deploy::{mark_origin, mark_reconciled, turn};
use crate::{paths, print};

/// Run `partywall up`.
pub fn up(arguments: &Up) -> Result<Exit, Failure> {
    let project = project(&arguments.layout)?;
    docker_answers()?;
    let resolved = bundle::resolve(arguments.images, arguments.registry_mirror.as_deref())?;
    let mut layout = layout_spec(&project, arguments.layout.keys.as_deref());
    layout.images = resolved.images;
    let spec = UpSpec {
        session: arguments.name.session.clone(),
        state: paths::state(),
        nodes: arguments.nodes,
        ip_family: match arguments.ip_family {
            IpFamilyChoice::Ipv4 => IpFamily::Ipv4,
            IpFamilyChoice::Dual => IpFamily::Dual,
        },
        layout,
        bundle: resolved.bundle,
    };
    let bars = Bars::default();
    let kind = Kind { state: &spec.state, progress: &bars };
    let up = block_on(async {
        // A session that is being judged must not get another layout meanwhile.
        let _turn = match Session::load(&spec.state, &spec.session) {
            Ok(session) => Some(turn(&session.name).await?),
            Err(_) => None,
        };
        kind.up(&spec).await.map_err(failure)
    })?;
    mark_reconciled(&up.session, &up.report)?;
    mark_origin(&up.session, &project.directory)?;
    let objects = up.report.objects.len();
    let mut exit = Exit::Holds;
    for object in up.report.failures() {
        exit = Exit::Violated;
        print::result(&format!("not ready: {}", clean(&object.to_string(), &[])));
    }
    let state = if exit == Exit::Holds { "ready" } else { "not all ready" };
    let reused = if up.reused { " (reused)" } else { "" };
    print::result(&format!("session `{}`{reused}: {objects} objects, {state}", up.session.name));
    Ok(exit)
}

fn failure(error: KindError) -> Failure {
    match &error {
        KindError::Up(up) if up.kind() == ErrorKind::Input => Failure::usage(error),
        _ => Failure::environment(error),
    }
}
