//! One request on its way: name, policies, Service, and then a collector or a store.

use partywall_core::contract::Tenant;
use partywall_core::event::NotJudged;
use partywall_core::inventory::PodName;
use partywall_core::observation::Outcome;
use partywall_core::probe::{Forged, Over, Signal};

use super::collector::Collector;
use super::estate::{Telemetry, plural};
use super::headers::{Headers, ORG, Said, told};
use super::pipeline;
use super::place::{Found, Place, Url, follow, shown};
use super::sender::{Sender, sender, written_org};
use super::settings::{self, Encoding, Problem, Settings};
use super::store::{Store, is_valid, named};
use super::trail::{Fault, FaultKind, Step};

/// Collectors that send to each other end here.
const HOPS_MAX: usize = 4;

/// A connection that policies may forbid.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hop {
    /// The client, by the name that its pod has offline; the harness's control client in a
    /// namespace of the platform is `partywall_core::inventory::CLIENT_NAME`.
    pub from: PodName,
    /// Where it goes.
    pub to: HopTarget,
}

/// Where a hop goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HopTarget {
    /// A Service of the layout, at its own port, by TCP.
    Service {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
        /// The Service's port.
        port: u16,
    },
    /// The cluster's name server, by UDP: every endpoint but an address is a name.
    Resolver,
}

/// Whether policies let a hop through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaches {
    /// They do.
    Yes,
    /// They do not; says which.
    No(String),
    /// The files do not tell; says why.
    Unknown(String),
}

/// Where one copy of what was sent ends.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// In this organisation.
    Stored { org: String, said: Said },
    /// In a store that asks nobody: under every organisation that is asked for.
    Shared { switch: Step },
    /// Nowhere.
    Lost { fault: Fault },
}

/// How the sender's request is answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) accepted: bool,
    pub(super) outcome: Outcome,
    pub(super) detail: String,
    /// The line that has it refused, where one is known.
    pub(super) fault: Option<Fault>,
}

/// What becomes of one request.
#[derive(Clone, Debug)]
pub(super) struct Passage {
    pub(super) ends: Vec<End>,
    pub(super) answer: Answer,
}

impl Passage {
    pub(super) fn refused(outcome: Outcome, detail: String, fault: Option<Fault>) -> Self {
        let answer = Answer { accepted: false, outcome, detail, fault };
        Self { ends: Vec::new(), answer }
    }

    pub(super) fn taken(ends: Vec<End>) -> Self {
        let detail = "accepted".to_string();
        let answer = Answer { accepted: true, outcome: Outcome::Reached, detail, fault: None };
        Self { ends, answer }
    }
}

/// One request.
pub(super) struct Request {
    pub(super) from: PodName,
    /// The whole address, with the signal's path where HTTP is spoken.
    pub(super) url: String,
    pub(super) encoding: Encoding,
    pub(super) headers: Headers,
    /// Where the address is written.
    pub(super) at: Step,
}

/// One signal on its way, and the steps that it has made.
pub(super) struct Route<'e, 'a> {
    pub(super) estate: &'e Telemetry<'a>,
    pub(super) signal: Signal,
    reaches: &'e dyn Fn(&Hop) -> Reaches,
    pub(super) steps: Vec<Step>,
    /// Whether the tenant's own files are searched for where they name its organisation.
    pub(super) explains: bool,
    /// Whether nothing else comes at the same time, so that nothing is put together with it.
    pub(super) is_alone: bool,
}

impl<'e, 'a> Route<'e, 'a> {
    pub(super) fn new(
        estate: &'e Telemetry<'a>,
        signal: Signal,
        reaches: &'e dyn Fn(&Hop) -> Reaches,
    ) -> Self {
        Self { estate, signal, reaches, steps: Vec::new(), explains: false, is_alone: false }
    }

    /// Send from the pod of the tenant that the live probe would send from.
    pub(super) fn send_for(&mut self, tenant: &Tenant) -> Result<(Sender<'a>, Passage), NotJudged> {
        let sender = sender(self.estate, tenant)?;
        let passage = self.send_with(tenant, &sender)?;
        Ok((sender, passage))
    }

    /// Send from one container of a tenant.
    pub(super) fn send_with(
        &mut self,
        tenant: &Tenant,
        sender: &Sender<'_>,
    ) -> Result<Passage, NotJudged> {
        self.send_forged(tenant, sender, None, None)
    }

    /// Send from one container of a tenant, in a given way and with what is not its own.
    pub(super) fn send_forged(
        &mut self,
        tenant: &Tenant,
        sender: &Sender<'_>,
        over: Option<Over>,
        forged: Option<&Forged>,
    ) -> Result<Passage, NotJudged> {
        let settings = match settings::read(&sender.environment, self.signal) {
            Ok(settings) => settings.over(over, &sender.environment),
            Err(Problem::Unusable(detail)) => {
                return Ok(Passage::refused(Outcome::ProbeError, detail, None));
            }
            Err(Problem::Unknown(reason, location)) => {
                let unknown = sender.container.workload.not_judged(reason);
                return Err(NotJudged { location: Some(location), ..unknown });
            }
        };
        let mut request = self.request(tenant, sender, &settings);
        if let Some(lines) = forged.and_then(|forged| forged.headers.as_ref()) {
            request.headers.forge(lines, &request.at);
        }
        self.send(&request, 0)
    }

    fn request(&mut self, tenant: &Tenant, sender: &Sender<'_>, settings: &Settings) -> Request {
        let pod = &sender.pod;
        let variable = settings.headers_at.clone();
        let missing = Step::new(format!("{pod} sends no `X-Scope-OrgID`"), variable.clone());
        let org = settings.headers.get(ORG);
        let written = org.filter(|_| self.explains);
        let written = written.and_then(|org| written_org(self.estate.rendered, tenant, org));
        if let (Some(org), Some(written)) = (org, &written) {
            let what = format!("{} writes `{org}`", tenant.name);
            self.steps.push(Step::new(what, written.clone()));
        }
        let what = |name: &str, value: &str| told(name, &format!("{pod} sends as"), value);
        let said = org.map(|org| Step::new(what(ORG, org), variable));
        self.steps.push(said.unwrap_or_else(|| missing.clone()));
        let headers = settings.headers.iter().map(|(name, value)| {
            // The tenant's own file decides, the chart only carries it into the variable.
            let at = written.clone().filter(|_| name == ORG);
            let at = at.unwrap_or_else(|| settings.headers_at.clone());
            let step = Step::new(what(name, value), at);
            (name.clone(), Said::sent(value.clone(), step))
        });
        let at = format!("{pod} sends to {}", shown(&settings.endpoint));
        let at = Step::new(at, settings.endpoint_at.clone());
        self.steps.push(at.clone());
        Request {
            from: pod.clone(),
            url: address(&settings.endpoint, settings.encoding, self.signal),
            encoding: settings.encoding,
            headers: Headers::new(headers.collect(), Fault::new(FaultKind::Sender, missing)),
            at,
        }
    }

    /// A fence as the live probe writes it: from the platform, under a name of its own choice or
    /// under none, to the endpoint that all signals share.
    pub(super) fn fence(
        &mut self,
        from: PodName,
        endpoint: &str,
        org: Option<&str>,
    ) -> Result<Passage, NotJudged> {
        let nowhere = partywall_core::source::SourceLocation::new("", 0);
        let step = Step::new("a fence", nowhere);
        let said =
            org.into_iter().map(|org| (ORG.to_string(), Said::sent(org.to_string(), step.clone())));
        let encoding = settings::implied(endpoint);
        let missing = Fault::new(FaultKind::Sender, step.clone());
        let request = Request {
            from,
            url: address(endpoint, encoding, self.signal),
            encoding,
            headers: Headers::new(said.collect(), missing),
            at: step,
        };
        self.send(&request, 0)
    }

    /// Send a request to where its address leads.
    pub(super) fn send(&mut self, request: &Request, hops: usize) -> Result<Passage, NotJudged> {
        let unusable = || format!("`{}` is no address", shown(&request.url));
        let Some(url) = Url::parse(&request.url) else {
            let fault = Some(Fault::new(FaultKind::Address, request.at.clone()));
            return Ok(Passage::refused(Outcome::ProbeError, unusable(), fault));
        };
        if url.host.parse::<std::net::Ipv4Addr>().is_err() {
            let hop = Hop { from: request.from.clone(), to: HopTarget::Resolver };
            if let Some(reason) = self.forbidden(&hop, &request.at)? {
                return Ok(Passage::refused(Outcome::Unresolved, reason, None));
            }
        }
        let place = match follow(self.estate, &request.from.namespace, &url)? {
            Found::At(place) => place,
            Found::Nowhere(outcome, reason, location) => {
                let at = location.unwrap_or_else(|| request.at.location.clone());
                let fault = Some(Fault::new(FaultKind::Address, Step::new(reason.clone(), at)));
                return Ok(Passage::refused(outcome, reason, fault));
            }
        };
        let (namespace, name) = (place.service.namespace(), place.service.name());
        let to = HopTarget::Service {
            namespace: namespace.to_string(),
            name: name.to_string(),
            port: place.port,
        };
        let hop = Hop { from: request.from.clone(), to };
        if let Some(reason) = self.forbidden(&hop, &request.at)? {
            return Ok(Passage::refused(Outcome::Dropped, reason, None));
        }
        let what =
            format!("Service {namespace}/{name}:{} leads to its port {}", place.port, place.target);
        self.steps.push(Step::new(what, place.service.origin.clone()));
        self.arrive(request, place, hops)
    }

    /// At the store of the contract, else at a collector.
    fn arrive(
        &mut self,
        request: &Request,
        place: Place<'a>,
        hops: usize,
    ) -> Result<Passage, NotJudged> {
        let store = Store::of(self.estate, self.signal)?;
        if std::ptr::eq(store.place.workload.object, place.workload.object) {
            self.steps.push(store.step.clone());
            return Ok(stored(request, &store, self.signal));
        }
        if hops >= HOPS_MAX {
            return Err(place.workload.not_judged("collectors send to each other in a ring"));
        }
        let collector = Collector::open(self.estate, place)?;
        pipeline::pass(self, &collector, request, hops)
    }

    /// Why a hop is forbidden, if it is.
    fn forbidden(&self, hop: &Hop, at: &Step) -> Result<Option<String>, NotJudged> {
        match (self.reaches)(hop) {
            Reaches::Yes => Ok(None),
            Reaches::No(reason) => Ok(Some(reason)),
            Reaches::Unknown(reason) => Err(NotJudged {
                subject: format!("policies on the way of {}", hop.from),
                reason,
                location: (at.location.line > 0).then(|| at.location.clone()),
            }),
        }
    }
}

/// The address of a signal below an endpoint.
fn address(endpoint: &str, encoding: Encoding, signal: Signal) -> String {
    let own = format!("v1/{}", plural(signal));
    match encoding {
        Encoding::Grpc => endpoint.to_string(),
        Encoding::Http if endpoint.ends_with(&own) => endpoint.to_string(),
        Encoding::Http => format!("{}/{own}", endpoint.trim_end_matches('/')),
    }
}

/// What the store does with a request.
fn stored(request: &Request, store: &Store<'_>, signal: Signal) -> Passage {
    let refused = |status: &str, fault: Fault| {
        let detail = format!("connected, {status}: {}", fault.step.what);
        let answer = Answer {
            accepted: false,
            outcome: Outcome::Reached,
            detail,
            fault: Some(fault.clone()),
        };
        Passage { ends: vec![End::Lost { fault }], answer }
    };
    let path = format!("/otlp/v1/{}", plural(signal));
    if request.encoding != Encoding::Http || !request.url.ends_with(&path) {
        let what = format!("the store takes OTLP at `{path}` over HTTP alone");
        let step = Step::new(what, request.at.location.clone());
        return refused("HTTP 404", Fault::new(FaultKind::Address, step));
    }
    if !store.tenancy {
        return Passage::taken(vec![End::Shared { switch: store.step.clone() }]);
    }
    let Some(said) = request.headers.get(ORG) else {
        return refused("HTTP 401 no org id", request.headers.missing().clone());
    };
    let org = named(&said.value);
    if !is_valid(org) {
        let what = format!("`{}` is no name of one organisation", said.value);
        let kind = if said.by_sender { FaultKind::Sender } else { FaultKind::Organisation };
        let step = Step::new(what, said.step.location.clone());
        return refused("HTTP 400", Fault::new(kind, step));
    }
    Passage::taken(vec![End::Stored { org: org.to_string(), said: said.clone() }])
}
