//! Data sources of Grafana, as files of its provisioning describe them.
//!
//! <https://grafana.com/docs/grafana/latest/administration/provisioning/#data-sources>: documents
//! with `apiVersion: 1` and a list `datasources`. What a header holds is paired by number:
//! `jsonData.httpHeaderName1` and `secureJsonData.httpHeaderValue1`. Only the organisation's
//! headers are kept, because others may be credentials.

use serde::{Deserialize, Serialize};

use crate::contract::Telemetry;
use crate::document::{Item, Node, documents};
use crate::probe::Signal;

/// By which stores tell tenants apart.
const ORG_HEADER: &str = "X-Scope-OrgID";
const HEADER_NAME: &str = "httpHeaderName";
const HEADER_VALUE: &str = "httpHeaderValue";
const DATA_SOURCES: &str = "datasources";
/// As a value begins that SOPS sealed.
const SEALED: &str = "ENC[";
/// The organisation of Grafana that is meant where none is named.
const FIRST_GRAFANA_ORG: &str = "1";

/// One data source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSource {
    /// Its name.
    pub name: String,
    /// `loki`, `prometheus`.
    pub kind: String,
    /// Its address, without credentials.
    pub url: String,
    /// Whether Grafana asks with credentials, which are not kept.
    #[serde(default)]
    pub has_credentials: bool,
    /// Whether the reader's browser asks in the place of Grafana, and so writes the headers.
    pub from_browser: bool,
    /// Whether who administers the organisation of Grafana may change it.
    pub editable: bool,
    /// The organisation of Grafana (not of the store) whose users may query it.
    pub grafana_org: String,
    /// What its headers name as the store's organisation; `None` is a value that Grafana fills in
    /// from elsewhere.
    pub organisations: Vec<Option<String>>,
    /// The line in its file where it begins.
    pub line: u64,
    /// The line of what names the organisation, or where it begins.
    pub header_line: u64,
}

/// What a text gives to Grafana.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provisioned {
    /// The data sources that are understood.
    pub sources: Vec<DataSource>,
    /// Why the text may provision more than these.
    pub unread: Option<&'static str>,
}

/// The data sources of a text, if it is provisioning of Grafana's.
pub fn data_sources(label: &str, text: &str) -> Vec<DataSource> {
    provisioned(label, text).sources
}

/// The data sources of a text, and whether there may be more.
pub fn provisioned(label: &str, text: &str) -> Provisioned {
    // Most texts in a cluster are none, and some are large.
    if !text.contains(DATA_SOURCES) {
        return Provisioned::default();
    }
    let Ok(documents) = documents(label, text) else {
        let unread = has_key(text).then_some("names `datasources` and is not read as YAML");
        return Provisioned { sources: Vec::new(), unread };
    };
    let mut found = Provisioned::default();
    for document in &documents {
        let items = document.root.items(&[DATA_SOURCES]);
        if document.root.text(&["apiVersion"]) == Some("1") {
            found.sources.extend(items.iter().filter_map(read));
            if items.iter().any(|item| read(item).is_none()) {
                found.unread = Some("has a data source without a name or a type");
            }
        } else if !items.is_empty() {
            // Grafana takes it for its first format, which has other names.
            found.unread = Some("has `datasources` without `apiVersion: 1`");
        }
    }
    found
}

/// Whether a text, of whatever format, has data sources as a key.
fn has_key(text: &str) -> bool {
    text.match_indices(DATA_SOURCES).any(|(at, word)| {
        let rest = text[at + word.len()..].trim_start_matches(['"', '\'', ' ']);
        rest.starts_with(':')
    })
}

fn read(item: &Item) -> Option<DataSource> {
    let text = |key: &str| item.text(&[key]);
    let (url, has_user) = without_user(text("url").unwrap_or_default());
    let is_on = |key: &str| text(key) == Some("true");
    let grafana_org = text("orgId").filter(|org| *org != "0").unwrap_or(FIRST_GRAFANA_ORG);
    let headers = headers(item);
    Some(DataSource {
        name: text("name")?.to_string(),
        kind: text("type")?.to_string(),
        url,
        has_credentials: has_user || is_on("basicAuth") || has_authorization(item),
        // Grafana takes every other word for `proxy`.
        from_browser: text("access") == Some("direct"),
        editable: is_on("editable"),
        grafana_org: grafana_org.to_string(),
        line: item.line,
        header_line: headers.first().map_or(item.line, |(line, _)| *line),
        organisations: headers.into_iter().map(|(_, value)| value).collect(),
    })
}

/// An address without the user and word that may stand in it, and whether they did.
fn without_user(url: &str) -> (String, bool) {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let Some((_, host)) = authority.rsplit_once('@') else { return (url.to_string(), false) };
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    (format!("{scheme}{host}{path}"), true)
}

fn has_authorization(item: &Item) -> bool {
    item.entries(&["jsonData"]).iter().any(|(key, name)| {
        let name = name.text(&[]).unwrap_or_default();
        key.starts_with(HEADER_NAME) && name.eq_ignore_ascii_case("Authorization")
    })
}

/// The organisation's headers, with the lines of their values.
fn headers(item: &Item) -> Vec<(u64, Option<String>)> {
    let names = item.entries(&["jsonData"]).iter();
    let named = names.filter_map(|(key, name)| {
        let number = key.strip_prefix(HEADER_NAME)?;
        let is_org = name.text(&[]).is_some_and(|name| name.eq_ignore_ascii_case(ORG_HEADER));
        is_org.then_some((number, name.line))
    });
    let valued = named.map(|(number, line)| {
        let key = format!("{HEADER_VALUE}{number}");
        match item.at(&["secureJsonData", key.as_str()]) {
            Some(Item { line, node: Node::Scalar(value) }) => {
                let is_known = !value.contains('$') && !value.starts_with(SEALED);
                (*line, is_known.then(|| value.clone()))
            }
            _ => (line, Some(String::new())),
        }
    });
    valued.collect()
}

impl DataSource {
    /// Whether its address is that of a store, `namespace/service:port`, for a Grafana that runs
    /// in this namespace.
    pub fn leads_to(&self, namespace: &str, store: &str) -> bool {
        let authority = self.authority();
        let usual = if self.url.starts_with("https://") { "443" } else { "80" };
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, usual));
        let host = host.trim_end_matches('.');
        let bare = host.strip_suffix(".cluster.local").unwrap_or(host);
        let bare = bare.strip_suffix(".svc").unwrap_or(bare);
        let (service, place) = bare.split_once('.').unwrap_or((bare, namespace));
        format!("{place}/{service}:{port}") == store
    }

    /// The host and port of its address, as they are written.
    pub fn authority(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or_default();
        authority.rsplit_once('@').map_or(authority, |(_, host)| host)
    }

    /// The one organisation that it names; `None` where it names none, several, or one that only
    /// Grafana knows.
    pub fn organisation(&self) -> Option<&str> {
        match self.organisations.as_slice() {
            [Some(one)] if !one.is_empty() && !one.contains('|') => Some(one),
            _ => None,
        }
    }

    /// Every organisation that its headers name.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        let known = self.organisations.iter().flatten();
        known.flat_map(|value| value.split('|')).filter(|org| !org.is_empty())
    }

    /// The store of the contract that it leads to, for a Grafana that runs in this namespace.
    pub fn store_of(&self, telemetry: &Telemetry, namespace: &str) -> Option<Signal> {
        let stores = [(Signal::Log, &telemetry.logs), (Signal::Metric, &telemetry.metrics)];
        let mut stores = stores.into_iter();
        stores.find(|(_, store)| self.leads_to(namespace, store)).map(|(signal, _)| signal)
    }

    /// Whether it is of a kind that reads stores of telemetry, wherever it leads.
    pub fn is_of_a_store(&self) -> bool {
        matches!(self.kind.as_str(), "loki" | "prometheus")
    }

    /// Whether Grafana fills in what its header holds.
    pub fn is_unknown(&self) -> bool {
        self.organisations.iter().any(Option::is_none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const TEXT: &str = "\
apiVersion: 1
datasources:
  - name: logs of a
    type: loki
    access: proxy
    orgId: 2
    url: http://loki.o.svc:3100
    jsonData:
      httpHeaderName1: Authorization
      httpHeaderName2: x-scope-orgid
    secureJsonData:
      httpHeaderValue1: Bearer secret
      httpHeaderValue2: a
  - name: metrics
    type: prometheus
    access: direct
    editable: true
    url: http://mimir:9009/prometheus
    jsonData: {httpHeaderName1: X-Scope-OrgID}
  - name: filled in
    type: loki
    jsonData: {httpHeaderName1: X-Scope-OrgID, httpHeaderName2: X-Scope-OrgID}
    secureJsonData: {httpHeaderValue1: $ORG, httpHeaderValue2: a|b}
";

    #[test]
    fn reads_what_decides_and_no_credential() {
        let found = data_sources("x", TEXT);
        let [logs, metrics, filled] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((logs.organisation(), logs.grafana_org.as_str()), (Some("a"), "2"));
        assert_eq!((logs.line, logs.header_line), (3, 13));
        assert!(!logs.from_browser && !logs.editable);
        assert!(metrics.from_browser && metrics.editable);
        assert_eq!((metrics.organisation(), metrics.grafana_org.as_str()), (None, "1"));
        assert_eq!(metrics.organisations, [Some(String::new())]);
        assert!(filled.is_unknown());
        assert_eq!(filled.named().collect::<Vec<_>>(), ["a", "b"]);
        assert!(!format!("{found:?}").contains("secret"));
        assert!(logs.has_credentials && !metrics.has_credentials);
    }

    #[rstest]
    #[case("http://user:p@ss@loki:3100/x", "http://loki:3100/x", true)]
    #[case("user:word@loki:3100", "loki:3100", true)]
    #[case("https://loki/a@b", "https://loki/a@b", false)]
    fn an_address_is_kept_without_credentials(
        #[case] url: &str,
        #[case] expected: &str,
        #[case] has_credentials: bool,
    ) {
        let text = TEXT.replace("http://mimir:9009/prometheus", url);
        let metrics = data_sources("x", &text).remove(1);
        assert_eq!((metrics.url.as_str(), metrics.has_credentials), (expected, has_credentials));
    }

    #[test]
    fn a_sealed_organisation_is_not_known() {
        let text = TEXT.replace("httpHeaderValue2: a\n", "httpHeaderValue2: ENC[AES256_GCM,x]\n");
        assert!(data_sources("x", &text)[0].is_unknown());
    }

    #[rstest]
    #[case::no_version("datasources: [{name: a, type: loki}]", true)]
    #[case::sealed("apiVersion: ENC[x]\ndatasources:\n  - name: ENC[y]\n", true)]
    #[case::no_type("apiVersion: 1\ndatasources: [{name: a}]", true)]
    #[case::no_yaml("apiVersion: 1\ndatasources:\n  - name: [", true)]
    #[case::no_json("{\"datasources\" : [", true)]
    #[case::a_word("{datasources", false)]
    #[case::deleted("apiVersion: 1\ndeleteDatasources: [{name: a}]", false)]
    #[case::understood(TEXT, false)]
    fn what_may_provision_more_is_told(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(provisioned("x", text).unread.is_some(), expected);
    }

    #[rstest]
    #[case("datasources: [{name: a, type: loki}]")]
    #[case("apiVersion: 1\nproviders: []\n# datasources")]
    #[case("{datasources")]
    fn other_texts_have_none(#[case] text: &str) {
        assert_eq!(data_sources("x", text), []);
    }

    #[rstest]
    #[case("http://loki:3100", true)]
    #[case("http://loki.o:3100/", true)]
    #[case("http://loki.o.svc:3100/loki", true)]
    #[case("http://user:word@loki.o.svc.cluster.local.:3100", true)]
    #[case("http://loki.o.svc", false)]
    #[case("http://loki.p.svc:3100", false)]
    #[case("http://tempo:3100", false)]
    fn an_address_leads_to_a_store(#[case] url: &str, #[case] expected: bool) {
        let source = DataSource { url: url.to_string(), ..data_sources("x", TEXT).remove(0) };
        assert_eq!(source.leads_to("o", "o/loki:3100"), expected);
    }
}
