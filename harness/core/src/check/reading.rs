//! Judging who reads what: an empty answer counts only beside one that is not empty.

use crate::observation::{ReadObservation, SourceSeen, SourcesObservation};
use crate::probe::{Signal, SourcesProbe};
use crate::verdict::Verdict;

/// How a store says that it was asked as too many organisations at once. The words decide: Loki
/// says them with a status of the server's, and Mimir gives theirs to any query that fails.
pub const fn too_many(store: Signal) -> &'static str {
    match store {
        Signal::Log => "multiple org IDs present",
        Signal::Metric => "too many tenant IDs present",
    }
}

/// Whether a store that was asked as two organisations refused, while it answers each of them.
pub(super) fn two_organisations(seen: &ReadObservation) -> Verdict {
    let names = seen.orgs.keys().map(String::as_str).collect::<Vec<_>>().join(" and ");
    if let Some((org, _)) = seen.orgs.iter().find(|(_, sight)| sight.shown) {
        return Verdict::violated(format!(
            "asked as {names} at once, the store shows what belongs to {org}"
        ));
    }
    if let Some((org, _)) = seen.orgs.iter().find(|(_, sight)| !sight.alone) {
        return Verdict::undetermined(format!(
            "the marker of org {org} was not found by who asked as {org} alone: that it is not \
             shown means nothing ({})",
            seen.detail
        ));
    }
    if seen.orgs.len() < 2 {
        return Verdict::undetermined("there are no two organisations to be read at once");
    }
    let says_so = [Signal::Log, Signal::Metric].map(too_many);
    match seen.status {
        Some(status @ 200..=299) => Verdict::undetermined(format!(
            "asked as {names} at once, the store answered {status} with nothing in it: as whom it \
             took the request is not known"
        )),
        Some(_) if says_so.iter().any(|words| seen.detail.contains(words)) => Verdict::holds(),
        Some(status) => Verdict::undetermined(format!(
            "the store answered {status}, which need not be because of two organisations: {}",
            seen.detail
        )),
        None => Verdict::undetermined(format!("the store did not answer: {}", seen.detail)),
    }
}

/// Whether a tenant reads its own organisation through its data source, and nobody else's.
pub(super) fn sources(probe: &SourcesProbe, seen: &SourcesObservation) -> Verdict {
    let own = &probe.tenant.org;
    if let Some((_, reason)) = fault(probe, seen) {
        return Verdict::violated(reason);
    }
    if let Some(reason) = unknown(own, probe.store, seen) {
        return Verdict::undetermined(reason);
    }
    let lacking: Vec<&str> =
        seen.markers.iter().filter(|(_, found)| !**found).map(|(org, _)| org.as_str()).collect();
    if !lacking.is_empty() {
        return Verdict::undetermined(format!(
            "no marker was found in org {}, not even by who asked as it: that it is not shown \
             means nothing",
            lacking.join(", ")
        ));
    }
    if !seen.markers.contains_key(own) || seen.markers.len() < 2 {
        return Verdict::undetermined("there is no other org in which absence could be shown");
    }
    let mut unproven = own_of(probe, seen).filter_map(|one| {
        let reason = unproven(one, own)?;
        Some(format!("{} {reason}", words(one)))
    });
    unproven.next().map_or_else(Verdict::holds, Verdict::undetermined)
}

/// The data sources through which a tenant reads a store.
fn own_of<'s>(
    probe: &'s SourcesProbe,
    seen: &'s SourcesObservation,
) -> impl Iterator<Item = &'s SourceSeen> {
    let kind = kind_of(probe.store);
    seen.sources.iter().filter(move |one| {
        let is_own = one.source.organisation() == Some(probe.tenant.org.as_str());
        is_own && one.store == Some(probe.store) && one.source.kind == kind
    })
}

/// What of a tenant's data sources is not known: it may be the one that is missed, or at fault.
fn unknown(org: &str, store: Signal, seen: &SourcesObservation) -> Option<String> {
    let is_beside_own = |one: &SourceSeen| {
        let grafana_org = &one.source.grafana_org;
        let mut own = seen.sources.iter().filter(|own| own.source.organisation() == Some(org));
        own.any(|own| own.source.grafana_org == *grafana_org)
    };
    for one in &seen.sources {
        let may_be_asked = one.store.is_none_or(|known| known == store);
        if one.source.is_unknown() && (may_be_asked || is_beside_own(one)) {
            let name = words(one);
            return Some(format!(
                "{name} fills in its organisation from elsewhere: whose it is, is not in the files"
            ));
        }
        let names = |org: &str| one.source.named().any(|named| named == org);
        let concerns = names(org) || (one.source.named().next().is_some() && is_beside_own(one));
        if one.store.is_none() && concerns {
            let (name, authority) = (words(one), one.source.authority());
            return Some(format!(
                "{name} names an organisation and leads to `{authority}`: whether this is another \
                 name of a store is not known"
            ));
        }
    }
    seen.unread.first().map(|unread| format!("{unread}: what it gives to Grafana is not known"))
}

/// The data source at fault for a tenant, if it is one of them, and what is wrong.
pub fn fault<'s>(
    probe: &'s SourcesProbe,
    seen: &'s SourcesObservation,
) -> Option<(Option<&'s SourceSeen>, String)> {
    let org = probe.tenant.org.as_str();
    let concerns = |one: &&SourceSeen| {
        one.source.named().any(|named| named == org) || one.source.named().next().is_none()
    };
    let of_store = seen.sources.iter().filter(|one| one.store == Some(probe.store));
    let of_tenant = of_store.filter(|one| !one.source.is_unknown()).filter(concerns);
    for one in of_tenant {
        if let Some(reason) = malformed(one) {
            return Some((Some(one), format!("{} {reason}", words(one))));
        }
    }
    let kind = kind_of(probe.store);
    let mut own = own_of(probe, seen).peekable();
    if own.peek().is_none() {
        // What is not known may be the one.
        let is_known = unknown(org, probe.store, seen).is_none();
        let place = &seen.namespace;
        let reason =
            format!("no data source of Grafana in {place} reads the {kind} store as org {org}");
        return is_known.then_some((None, reason));
    }
    own.find_map(|one| {
        let reason = shared(one, org, seen).or_else(|| misread(one, org, seen))?;
        Some((Some(one), format!("{} {reason}", words(one))))
    })
}

/// As Grafana names the type of a data source for a store.
const fn kind_of(store: Signal) -> &'static str {
    match store {
        Signal::Log => "loki",
        Signal::Metric => "prometheus",
    }
}

fn words(seen: &SourceSeen) -> String {
    format!("the data source `{}` ({})", seen.source.name, seen.place)
}

/// What is wrong with a data source whoever's it is.
fn malformed(seen: &SourceSeen) -> Option<String> {
    let source = &seen.source;
    let values: Vec<&str> = source.organisations.iter().flatten().map(String::as_str).collect();
    match values.as_slice() {
        [] => return Some("names no organisation".to_string()),
        [""] => return Some("names an empty organisation".to_string()),
        [one] if one.contains('|') => return Some(format!("reads several at once: `{one}`")),
        [_] => {}
        several => return Some(format!("names several: `{}`", several.join("`, `"))),
    }
    if source.from_browser {
        return Some("has its reader's browser ask, which writes any header".to_string());
    }
    source.editable.then(|| "may be edited by who administers it in Grafana".to_string())
}

/// In one organisation of Grafana every user may query every data source.
fn shared(own: &SourceSeen, org: &str, seen: &SourcesObservation) -> Option<String> {
    let grafana_org = &own.source.grafana_org;
    let beside = seen.sources.iter().filter(|one| {
        // One that names several is told where its own store is asked about.
        let is_told = one.store != own.store && one.source.named().any(|named| named == org);
        one.store.is_some() && one.source.grafana_org == *grafana_org && !is_told
    });
    let mut others = beside.flat_map(|one| {
        let named = one.source.named().filter(|named| *named != org);
        named.map(move |named| (one.source.name.as_str(), named))
    });
    let (name, other) = others.next()?;
    Some(format!(
        "is in organisation {grafana_org} of Grafana, as is `{name}` of org {other}: who may query \
         one of them may query the other"
    ))
}

/// What reading through it shows that it should not, or does not show.
fn misread(own: &SourceSeen, org: &str, seen: &SourcesObservation) -> Option<String> {
    if let Some(other) = own.shown.iter().find(|other| *other != org) {
        return Some(format!("shows what belongs to org {other}"));
    }
    let status = own.status?;
    let is_lacking = seen.markers.get(org) == Some(&true) && !own.shown.contains(org);
    (is_lacking && is_of_source(own, status))
        .then(|| format!("does not show what is in org {org}: it answered {status} {}", own.detail))
}

/// Whether a status tells of the data source; a busy store gives others to everybody.
const fn is_of_source(own: &SourceSeen, status: u16) -> bool {
    match status {
        200..=299 | 404 => true,
        // Grafana's credentials are nobody's to ask with.
        401 | 403 => !own.source.has_credentials,
        _ => false,
    }
}

/// Why it is not known what reading through it shows.
fn unproven(own: &SourceSeen, org: &str) -> Option<String> {
    let Some(status) = own.status else { return Some(format!("did not answer: {}", own.detail)) };
    let reason =
        if own.source.has_credentials { "was asked without its credentials and " } else { "" };
    (!own.shown.contains(org)).then(|| {
        format!("{reason}answered {status}, which need not be because of it: {}", own.detail)
    })
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
