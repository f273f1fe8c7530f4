//! Who this pod is, by its own environment.

/// `namespace/name` from `POD_NAMESPACE` and `POD_NAME`; the host name where the latter is
/// absent; empty where nothing is known.
pub fn identity(environment: impl Fn(&str) -> Option<String>) -> String {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    let name = set("POD_NAME").or_else(|| set("HOSTNAME")).or_else(host_name);
    match (set("POD_NAMESPACE"), name) {
        (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
        (None, Some(name)) => name,
        (_, None) => String::new(),
    }
}

/// [`identity`] of the environment of this process.
pub fn own_identity() -> String {
    identity(|name| std::env::var(name).ok())
}

fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_downward_api_names_the_pod() {
        let environment = |name: &str| match name {
            "POD_NAMESPACE" => Some("tenant".to_owned()),
            "POD_NAME" => Some("web-0".to_owned()),
            _ => None,
        };
        assert_eq!(identity(environment), "tenant/web-0");
    }

    #[test]
    fn the_host_name_stands_in() {
        let environment = |name: &str| (name == "HOSTNAME").then(|| "web-0".to_owned());
        assert_eq!(identity(environment), "web-0");
    }
}
