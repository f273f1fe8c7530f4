//! Deploying a layout that may have defects: where one defect stops everything behind it, the
//! run goes on in a scratch commit with that one defect mended.

use std::collections::BTreeMap;

use partywall_core::event::Defect;
use partywall_core::layout::Layout;
use partywall_offline::defect::{FluxObject, of_objects};
use partywall_offline::mend::{mend, mended};

/// More rounds than a layout can have defects that hide one another.
const ROUNDS_MAX: usize = 6;

/// Something that can push a layout with some files replaced, and say how Flux fared.
pub trait Deploy {
    /// What can go wrong with the environment.
    type Error: std::error::Error;

    /// Push the working tree with these files replaced, let Flux apply it, and return every
    /// Flux object with its state, whether or not all became ready.
    fn deploy(
        &mut self,
        replaced: &BTreeMap<String, String>,
    ) -> impl Future<Output = Result<Vec<FluxObject>, Self::Error>>;
}

/// How a deployment ended.
#[derive(Clone, Debug, Default)]
pub struct Deployed {
    /// Defects in the order in which they were found.
    pub defects: Vec<Defect>,
    /// Files that were mended in the scratch commit.
    pub mended: BTreeMap<String, String>,
    /// Whether every object became ready in the end.
    pub ready: bool,
}

/// Deploy; while something is not ready and the cause can be mended, mend it in a scratch
/// commit and go on. What is found then is marked as hidden behind what was mended.
pub async fn deploy_with_scratch_mends<D: Deploy>(
    deploy: &mut D,
    original: &Layout,
    secrets: &[&str],
) -> Result<Deployed, D::Error> {
    let mut outcome = Deployed::default();
    let mut layout = original.clone();
    for _round in 0..ROUNDS_MAX {
        let objects = deploy.deploy(&outcome.mended).await?;
        let found = of_objects(&layout, &objects, secrets);
        if found.is_empty() {
            outcome.ready = objects.iter().all(|object| object.ready);
            return Ok(outcome);
        }
        let behind = outcome.defects.last().map(|defect: &Defect| defect.name.clone());
        let first = found.len();
        for mut defect in found {
            defect.behind.clone_from(&behind);
            outcome.defects.push(defect);
        }
        let of_round = outcome.defects.len() - first;
        let mut changed = false;
        for defect in &outcome.defects[of_round..] {
            let Some(mending) = mend(&layout, defect) else { continue };
            let Ok(next) = mended(&layout, &mending) else { continue };
            layout = next;
            outcome.mended.extend(mending.files);
            changed = true;
        }
        if !changed {
            return Ok(outcome);
        }
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stuck {
        deployments: usize,
    }

    impl Deploy for Stuck {
        type Error = std::convert::Infallible;

        async fn deploy(
            &mut self,
            _replaced: &BTreeMap<String, String>,
        ) -> Result<Vec<FluxObject>, Self::Error> {
            self.deployments += 1;
            Ok(vec![FluxObject {
                kind: "Kustomization".to_string(),
                namespace: "flux-system".to_string(),
                name: "customer-a".to_string(),
                ready: false,
                reason: "SomethingNew".to_string(),
                message: "nobody knows".to_string(),
            }])
        }
    }

    #[tokio::test]
    async fn a_defect_that_cannot_be_mended_ends_the_deployment() {
        let mut deploy = Stuck { deployments: 0 };
        let outcome =
            deploy_with_scratch_mends(&mut deploy, &Layout::default(), &[]).await.unwrap();
        assert_eq!(deploy.deployments, 1);
        assert_eq!(outcome.defects.len(), 1);
        assert!(!outcome.ready);
    }
}
