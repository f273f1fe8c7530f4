//! Whom the tenant's author acts as.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The account that Flux uses under `--default-service-account` where an object names none.
pub const DEFAULT_ACCOUNT: &str = "default";

/// Why nothing can be said of what a tenant's author may do: the account that acts for the folder is
/// the one that counts, and it is found by the tenant's files.
pub fn unknown_folder(tenant: &str) -> String {
    format!(
        "no Kustomization is known to apply the folder of {tenant} (hint: name its files under \
         `secrets` in partywall.yaml)"
    )
}

/// A service account that acts for a tenant's folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Identity {
    /// An account by its namespace and name.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The user that the API server takes it for.
    pub fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }

    /// The groups that the API server puts it into.
    pub fn groups(&self) -> Vec<String> {
        vec![
            "system:serviceaccounts".to_string(),
            format!("system:serviceaccounts:{}", self.namespace),
            "system:authenticated".to_string(),
        ]
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}
