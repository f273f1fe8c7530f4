//! The experiments that there are.

use clap::ValueEnum;

/// An experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Trial {
    /// A tenant's policies are taken away by a commit, and put back by another
    PolicyRemoved,
    /// A tenant's policies are put up by a commit where there were none
    PolicyAdded,
    /// One policy of a tenant is widened to let everything through, and narrowed again
    PolicyWidened,
    /// Every policy of a tenant gets another name and says the same
    PolicyRenamed,
    /// A tenant's namespace, policies and workloads arrive in one commit
    TenantBorn,
    /// A tenant's namespace, policies and workloads go in one commit
    TenantLeaving,
    /// A tenant's workloads go in one commit, its namespace and policies in the next
    TenantLeavingInSteps,
    /// kustomize-controller dies while it takes up a commit that renames policies
    ControllerRestart,
    /// The network plugin's agents die and come back
    NetworkPluginRestart,
    /// A tenant's policies are deleted by hand, until Flux puts them back
    Drift,
    /// Connections that stand when a tenant's policies are put up
    Established,
    /// A tenant's key is rotated: a second recipient, a new data key, then the old one revoked
    KeyRotated,
    /// The old key of a tenant is revoked before its files are sealed to the new one
    KeyRevokedFirst,
    /// A tenant's file is sealed to a key that nobody has
    WrongRecipient,
    /// The Secret with a tenant's key is deleted
    KeySecretMissing,
    /// The entry of a tenant's key Secret has a name that Flux does not read
    KeyEntryMisnamed,
    /// The decryption block of a tenant's Kustomization is taken away
    DecryptionRemoved,
    /// A value of a tenant's sealed file is changed, and followed to its pods
    SecretChanged,
}

impl Trial {
    /// Whether it is about a tenant's Secrets, which are then looked at in the place of edges.
    pub const fn is_about_secrets(self) -> bool {
        matches!(
            self,
            Self::KeyRotated
                | Self::KeyRevokedFirst
                | Self::WrongRecipient
                | Self::KeySecretMissing
                | Self::KeyEntryMisnamed
                | Self::DecryptionRemoved
                | Self::SecretChanged
        )
    }

    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_string()).unwrap_or_default()
    }

    /// What it does, in one sentence.
    pub fn summary(self) -> String {
        let help =
            self.to_possible_value().and_then(|value| value.get_help().map(ToString::to_string));
        help.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_experiment_has_a_name_of_its_own_and_says_what_it_does() {
        let all = Trial::value_variants();
        let names: BTreeSet<String> = all.iter().map(|trial| trial.name()).collect();
        assert_eq!(names.len(), all.len());
        assert!(names.contains("policy-removed") && names.contains("tenant-leaving-in-steps"));
        for trial in all {
            let summary = trial.summary();
            assert!(summary.split_whitespace().count() > 4, "{summary}");
            assert_eq!(Trial::from_str(&trial.name(), false), Ok(*trial));
        }
    }
}
