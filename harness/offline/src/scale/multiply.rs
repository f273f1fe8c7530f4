//! From one tenant to many.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use age::secrecy::ExposeSecret;
use partywall_core::Layout;
use partywall_core::contract::{Contract, FlowTarget, Tenant};

use super::error::ScaleError;
use super::items::{names, renamed, renumbered, repeated, shifted};
use super::seal::sealed_anew;

/// Names have three digits.
const TENANTS_MAX: usize = 999;

/// How a data source says to which organisation of Grafana it belongs: every copy has its own.
const GRAFANA_ORG: &str = "orgId: ";

/// What is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Scale<'a> {
    /// How many tenants.
    pub tenants: usize,
    /// The sops program.
    pub sops: &'a Path,
}

/// A layout that was made, with the private keys of its tenants. The keys never print.
#[derive(Clone)]
pub struct Scaled {
    /// The files by their paths.
    pub files: BTreeMap<String, String>,
    /// Private age keys by tenant.
    pub(super) keys: BTreeMap<String, String>,
    /// Folders of further repositories, relative to the layout.
    pub(super) repositories: Vec<String>,
}

impl fmt::Debug for Scaled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenants: Vec<&String> = self.keys.keys().collect();
        formatter.debug_struct("Scaled").field("tenants", &tenants).finish_non_exhaustive()
    }
}

/// One tenant to be.
struct Copy {
    name: String,
    /// Counted from 0.
    place: u16,
    recipient: String,
    private: String,
}

impl Copy {
    fn new(place: u16) -> Self {
        let identity = age::x25519::Identity::generate();
        Self {
            name: format!("tenant-{:03}", place + 1),
            place,
            recipient: identity.to_public().to_string(),
            private: format!("{}\n", identity.to_string().expose_secret()),
        }
    }
}

impl Scale<'_> {
    /// The layout with this many copies of the contract's first tenant in the place of all of its
    /// tenants.
    pub fn of(&self, layout: &Layout, contract: &Contract) -> Result<Scaled, ScaleError> {
        if !(1..=TENANTS_MAX).contains(&self.tenants) {
            return Err(ScaleError::Count(self.tenants));
        }
        let template = Template::of(contract)?;
        let count = u16::try_from(self.tenants).unwrap_or(u16::MAX);
        template.has_ports_for(count)?;
        let copies: Vec<Copy> = (0..count).map(Copy::new).collect();
        let mut files = BTreeMap::new();
        for (path, text) in &layout.files {
            template.file(path, text, &copies, &mut files);
        }
        for copy in &copies {
            template.seal(self.sops, layout, copy, &mut files)?;
        }
        let folders = contract.repositories.iter().map(|repository| repository.path.clone());
        Ok(Scaled {
            files,
            keys: copies.into_iter().map(|copy| (copy.name, copy.private)).collect(),
            repositories: folders.filter(|path| path != ".").collect(),
        })
    }
}

/// The tenant that is copied, and those that are left out.
struct Template<'a> {
    tenant: &'a Tenant,
    sealed: &'a [String],
    recipient: &'a str,
    others: Vec<&'a str>,
    /// Ports that flows give to this tenant alone, in order: every copy has its own.
    ports: Vec<u16>,
}

impl<'a> Template<'a> {
    fn of(contract: &'a Contract) -> Result<Self, ScaleError> {
        let tenant = contract.tenants.first().ok_or(ScaleError::NoTemplate)?;
        let secrets = tenant.secrets.as_ref().ok_or(ScaleError::NoTemplate)?;
        let [recipient] = secrets.recipients.as_slice() else {
            return Err(ScaleError::NoTemplate);
        };
        let others = contract.tenants.iter().skip(1).map(|other| other.name.as_str()).collect();
        let ports = own_ports(contract, &tenant.name);
        Ok(Self { tenant, sealed: &secrets.files, recipient, others, ports })
    }

    /// How far the ports of one copy are from those of the next.
    fn stride(&self) -> u16 {
        match (self.ports.first(), self.ports.last()) {
            (Some(first), Some(last)) => last - first + 1,
            _ => 0,
        }
    }

    fn has_ports_for(&self, copies: u16) -> Result<(), ScaleError> {
        let last = self.ports.last().copied().unwrap_or_default();
        let shift = self.stride().checked_mul(copies.saturating_sub(1));
        let end = shift.and_then(|shift| last.checked_add(shift));
        end.map(|_| ()).ok_or_else(|| ScaleError::Count(copies.into()))
    }

    fn file(&self, path: &str, text: &str, copies: &[Copy], files: &mut BTreeMap<String, String>) {
        let of = |tenant: &str| {
            path.split('/').any(|part| part.split('.').next() == Some(tenant) && !part.is_empty())
        };
        if of(&self.tenant.name) {
            for copy in copies {
                files.insert(self.copied(path, copy), self.copied(text, copy));
            }
        } else if !self.others.iter().any(|other| of(other)) {
            let repeat = |item: &str| copies.iter().map(|copy| self.copied(item, copy)).collect();
            let lists = names(text, &self.tenant.name) && path.ends_with(".yaml");
            let text = match lists {
                true => repeated(text, &self.tenant.name, &self.others, &repeat),
                false => text.to_string(),
            };
            files.insert(path.to_string(), text);
        }
    }

    fn copied(&self, text: &str, copy: &Copy) -> String {
        let mut new = renamed(text, &self.tenant.name, &copy.name);
        for port in &self.ports {
            new = renumbered(&new, *port, port + self.stride() * copy.place);
        }
        shifted(&new, GRAFANA_ORG, copy.place).replace(self.recipient, &copy.recipient)
    }

    fn seal(
        &self,
        sops: &Path,
        layout: &Layout,
        copy: &Copy,
        files: &mut BTreeMap<String, String>,
    ) -> Result<(), ScaleError> {
        for file in self.sealed {
            let template =
                layout.files.get(file).ok_or_else(|| ScaleError::NoFile(file.clone()))?;
            let name = self.copied(file, copy);
            let text = sealed_anew(sops, &name, template, &copy.recipient, &copy.private)?;
            files.insert(name, text);
        }
        Ok(())
    }
}

/// Ports of the endpoints that flows give to a tenant by its name, in order.
fn own_ports(contract: &Contract, tenant: &str) -> Vec<u16> {
    let own = contract.flows.iter().filter(|flow| flow.from == tenant);
    let names = own.flat_map(|flow| match &flow.to {
        FlowTarget::SameTenant => &[][..],
        FlowTarget::Endpoints(names) => names,
    });
    let ends = names.filter_map(|name| contract.endpoints.get(name));
    let mut ports: Vec<u16> =
        ends.flat_map(|end| end.ports.iter().map(|port| port.number)).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}
