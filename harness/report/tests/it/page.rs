//! The page, read as a browser reads it.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::cluster::Backend;
use partywall_core::event::{CellResult, Event};
use partywall_core::verdict::{ProofLevel, Verdict};
use partywall_report::html;
use rstest::rstest;
use scraper::{ElementRef, Html, Selector};

use crate::{picture, sample};

fn page(streams: &[&[Event]]) -> Html {
    Html::parse_document(&html::render_all(streams).unwrap())
}

fn select<'a>(within: ElementRef<'a>, selector: &str) -> Vec<ElementRef<'a>> {
    let selector = Selector::parse(selector).unwrap();
    within.select(&selector).collect()
}

fn all<'a>(page: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    select(page.root_element(), selector)
}

/// The text as it is read: spaces are one.
fn text(element: ElementRef<'_>) -> String {
    element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The same run, answered from files.
fn by_the_files(events: &[Event]) -> Vec<Event> {
    let renamed = |name: &String| name.replacen("kind::", "offline::", 1);
    let computed = |verdict: &Verdict| match verdict {
        Verdict::Holds { .. } => Verdict::Holds { proof: Some(ProofLevel::Computed) },
        other => other.clone(),
    };
    let mut events = events.to_vec();
    for event in &mut events {
        match event {
            Event::RunStarted { backend, planned, .. } => {
                *backend = Backend::Offline;
                *planned = planned.iter().map(renamed).collect();
            }
            Event::CellJudged(cell) => {
                cell.trial = renamed(&cell.trial);
                cell.verdict = computed(&cell.verdict);
            }
            Event::TrialFinished { trial, verdict, .. } => {
                *trial = renamed(trial);
                *verdict = computed(verdict);
            }
            Event::TrialIgnored { trial, .. } => *trial = renamed(trial),
            _ => {}
        }
    }
    events
}

/// Every cell in the proofs: trial, row and column, client, target.
fn cells_of(page: &Html) -> BTreeMap<[String; 4], usize> {
    let mut cells = BTreeMap::new();
    for row in all(page, "#proof details.row") {
        let clients = clients_of(row);
        for square in select(row, "details.q") {
            let summary = select(square, "summary")[0];
            let title = summary.text().next().unwrap_or_default().trim().to_string();
            for group in select(square, ".g") {
                let trial = text(select(group, "p a")[0]);
                for line in select(group, "li") {
                    let named: Vec<String> = match select(line, ".from").first() {
                        Some(from) => named(&text(*from), &clients),
                        None => vec![String::new()],
                    };
                    let line = text(line);
                    let (_, targets) = line.split_once(" → ").unwrap_or(("", &line));
                    for target in targets.split("; ").map(str::to_string) {
                        for client in &named {
                            let key =
                                [trial.clone(), title.clone(), client.clone(), target.clone()];
                            *cells.entry(key).or_default() += 1;
                        }
                    }
                }
            }
        }
    }
    cells
}

fn clients_of(row: ElementRef<'_>) -> Vec<String> {
    let lines = select(row, ".clients").into_iter().map(text);
    let mut live = lines.filter_map(|line| line.strip_prefix("all clients: ").map(str::to_string));
    live.next().map(|names| names.split(", ").map(str::to_string).collect()).unwrap_or_default()
}

fn named(line: &str, all: &[String]) -> Vec<String> {
    if line.starts_with("all ") {
        all.to_vec()
    } else {
        line.split(", ").map(str::to_string).collect()
    }
}

fn judged(events: &[Event]) -> impl Iterator<Item = &CellResult> {
    events.iter().filter_map(|event| match event {
        Event::CellJudged(cell) => Some(cell),
        _ => None,
    })
}

fn is_reach(cell: &CellResult) -> bool {
    matches!(cell.expect.as_str(), "denied" | "reached")
}

fn key(cell: &CellResult) -> [String; 4] {
    let (_, trial) = cell.trial.split_once("::").unwrap();
    let client = cell.from.as_ref().map(|from| from.name.clone()).unwrap_or_default();
    let target = cell.to.strip_prefix(&format!("{} ", cell.column)).unwrap_or(&cell.to);
    [trial.to_string(), format!("{} → {}", cell.row, cell.column), client, target.to_string()]
}

#[rstest]
#[case::red(sample::red())]
#[case::green(sample::green())]
#[case::wide(picture::wide(4))]
fn every_judged_cell_is_in_the_proof_exactly_once(#[case] events: Vec<Event>) {
    let files = by_the_files(&events);
    for page in [page(&[&events]), page(&[&events, &files])] {
        let shown = cells_of(&page);
        let mut wanted = BTreeMap::new();
        for cell in judged(&events).filter(|cell| is_reach(cell)) {
            *wanted.entry(key(cell)).or_insert(0_usize) += 1;
        }
        for (key, count) in &wanted {
            assert_eq!(shown.get(key), Some(count), "{key:?}");
        }
        let counts = all(&page, "#proof .g i").into_iter().map(text);
        let total: usize = counts.map(|count| number(&count)).sum();
        assert_eq!(total, judged(&events).count());
    }
}

fn number(text: &str) -> usize {
    text.split(' ').next().unwrap().replace(',', "").parse().unwrap()
}

#[rstest]
#[case::red(vec![sample::red(), sample::offline(), picture::watched(), picture::mutated()])]
#[case::green(vec![sample::green()])]
#[case::offline(vec![sample::offline()])]
#[case::watched(vec![picture::watched()])]
#[case::nothing(vec![Vec::new()])]
#[case::hostile(vec![picture::hostile()])]
fn the_page_is_whole(#[case] streams: Vec<Vec<Event>>) {
    let streams: Vec<&[Event]> = streams.iter().map(Vec::as_slice).collect();
    let text = html::render_all(&streams).unwrap();
    assert_eq!(text, html::render_all(&streams).unwrap(), "it is the same each time");
    let page = page(&streams);
    links_resolve(&page);
    nothing_is_fetched(&page, &text);
    a_screen_reader_finds_its_way(&page);
}

fn links_resolve(page: &Html) {
    let mut ids = BTreeSet::new();
    for id in all(page, "[id]").into_iter().filter_map(|element| element.value().attr("id")) {
        assert!(ids.insert(id), "{id} is there twice");
    }
    for link in all(page, "a") {
        let target = link.value().attr("href").unwrap().strip_prefix('#').unwrap();
        assert!(ids.contains(target), "{target} is not there");
    }
    for element in all(page, "[aria-labelledby]") {
        let label = element.value().attr("aria-labelledby").unwrap();
        assert!(ids.contains(label), "{label} is not there");
    }
}

fn nothing_is_fetched(page: &Html, text: &str) {
    assert_eq!(all(page, "script").len(), 1);
    assert_eq!(all(page, "style").len(), 1);
    for fetched in
        ["img", "link", "iframe", "object", "embed", "[src]", "image", "use", "base", "[style]"]
    {
        assert!(all(page, fetched).is_empty(), "{fetched}");
    }
    let elements = all(page, "*");
    let attributes = elements.iter().flat_map(|element| element.value().attrs());
    for (name, value) in attributes {
        assert!(!name.starts_with("on"), "{name} would run a script");
        assert!(name != "href" || value.starts_with('#'), "{value} leads away");
    }
    for away in ["http:", "https:", "@import", "url(h", "url(d"] {
        let style =
            all(page, "style, script").into_iter().map(|e| e.inner_html()).collect::<String>();
        assert!(!style.contains(away), "{away}");
    }
    let policy = "default-src 'none'; style-src 'sha256-";
    assert!(text.contains(policy), "only what is named may run");
}

fn a_screen_reader_finds_its_way(page: &Html) {
    assert_eq!(page.root_element().value().attr("lang"), Some("en"));
    for landmark in ["header", "nav[aria-label]", "main", "h1", "title"] {
        assert_eq!(all(page, landmark).iter().filter(|e| is_html(e)).count(), 1, "{landmark}");
    }
    let mut before = 1;
    for heading in all(page, "h1, h2, h3, h4") {
        let level: usize = heading.value().name()[1..].parse().unwrap();
        assert!(level <= before + 1, "{} skips a level", text(heading));
        assert!(!text(heading).is_empty());
        before = level;
    }
    for table in all(page, "table") {
        assert!(!select(table, "thead th[scope]").is_empty());
        assert!(select(table, "th").iter().all(|th| th.value().attr("scope").is_some()));
        for row in select(table, "tbody tr") {
            assert_eq!(select(row, "th[scope=row]").len(), 1);
        }
    }
    for section in all(page, "section") {
        assert!(section.value().attr("aria-labelledby").is_some());
    }
    for drawing in all(page, "svg[role=img]") {
        assert!(!select(drawing, "title").is_empty());
    }
    for scrolled in all(page, ".scroll") {
        assert_eq!(scrolled.value().attr("tabindex"), Some("0"), "it is scrolled by keys too");
    }
}

/// A drawing has titles too.
fn is_html(element: &ElementRef<'_>) -> bool {
    element.ancestors().filter_map(ElementRef::wrap).all(|parent| parent.value().name() != "svg")
}

#[test]
fn nothing_needs_the_script() {
    let page = page(&[&sample::red(), &picture::watched(), &picture::mutated()]);
    let hidden: Vec<_> =
        all(&page, "[hidden]").iter().filter_map(|e| e.value().attr("id")).collect();
    assert_eq!(hidden, ["tools"], "only the tools wait for the script");
    // Only the tools hold what does nothing without it.
    for control in all(&page, "button, input") {
        let is_tool = |parent: ElementRef<'_>| parent.value().attr("id") == Some("tools");
        assert!(control.ancestors().filter_map(ElementRef::wrap).any(is_tool));
    }
}

#[test]
fn every_violated_cell_stands_with_the_line_that_causes_it() {
    let events = sample::red();
    let page = page(&[&events]);
    let squares = all(&page, "details.q.bad");
    let blames: BTreeMap<&str, String> = events.iter().filter_map(blamed).collect();
    let violated: Vec<_> =
        judged(&events).filter(|cell| cell.verdict.word() == "violated").collect();
    assert!(violated.len() > 10);
    for cell in violated {
        let title = format!("{} → {}", cell.row, cell.column);
        let square = squares.iter().find(|square| text(**square).starts_with(&title)).unwrap();
        assert!(text(*square).contains(&blames[cell.trial.as_str()]), "{}", text(*square));
        assert!(text(*square).contains("repeat: partywall test"), "{}", text(*square));
        let id = select(*square, "div[id]")[0].value().attr("id").unwrap();
        let link = format!("article.violated a[href='#{id}']");
        assert_eq!(text(all(&page, &link)[0]), title);
        let grid = format!(".grid td.bad a[href='#{id}']");
        assert_eq!(all(&page, &grid).len(), 1, "the matrix leads to it");
    }
}

fn blamed(event: &Event) -> Option<(&str, String)> {
    match event {
        Event::TrialFinished { trial, blame: Some(blame), .. } => {
            Some((trial, blame.location.to_string()))
        }
        _ => None,
    }
}

/// The marks of the square of a tenant and a target.
fn marks(page: &Html, title: &str) -> String {
    let squares = all(page, "details.q > summary");
    text(*squares.iter().find(|square| text(**square).starts_with(title)).unwrap())
}

#[test]
fn a_square_shows_contract_files_and_cluster() {
    let live = sample::red();
    let mut files = by_the_files(&live);
    let alone = page(&[&live]);
    let leak = "soev-internal → customer-a/postgres";
    assert_eq!(marks(&alone, leak), format!("{leak} ■·◐ LEAK 2/8"));
    // The files say that what leaks is shut.
    for event in &mut files {
        if let Event::CellJudged(cell) = event
            && cell.expect == "denied"
        {
            cell.verdict = Verdict::Holds { proof: Some(ProofLevel::Computed) };
        }
    }
    let both = page(&[&live, &files]);
    assert_eq!(
        marks(&both, "soev-internal → customer-a/reranker"),
        "soev-internal → customer-a/reranker ■■■ ok 6"
    );
    assert_eq!(
        marks(&both, "customer-a → shared-services/gateway"),
        "customer-a → shared-services/gateway ◐◐◐ ok 16"
    );
    let wide = picture::wide(2);
    let mut wide_files = by_the_files(&wide);
    picture::leak(&mut wide_files);
    let both = page(&[&wide, &wide_files]);
    let summary = marks(&both, "tenant-00 → tenant-01/postgres");
    assert_eq!(summary, "tenant-00 → tenant-01/postgres ■◐■ ≠ ok 20");
    let cards: Vec<String> = all(&both, "article.contrary").into_iter().map(text).collect();
    assert!(cards[0].contains("contradict each other in 1 cell"), "{cards:?}");
}

#[test]
fn a_proof_says_what_was_seen_and_when() {
    let page = page(&[&picture::wide(2)]);
    let groups: Vec<String> = all(&page, "#proof .g").into_iter().map(text).collect();
    let denied = groups.iter().find(|group| group.contains("denied")).unwrap();
    for part in [
        "holds by receipt",
        "seen: dropped after 400.0 ms to 419.0 ms; receipt: no server has the nonce",
        "controls: same client to an allowed target: reached",
        "all 4 clients → ",
    ] {
        assert!(denied.contains(part), "{denied}");
    }
}

#[test]
fn hostile_names_stay_text() {
    let page = page(&[&picture::hostile()]);
    let body = text(all(&page, "body")[0]);
    assert!(body.contains("<img src=x onerror=alert(1)>"), "{body}");
    assert!(body.contains("\"><script>alert(1)</script>"), "{body}");
    assert!(body.contains("{{ 7 * 7 }}"), "{body}");
    assert_eq!(all(&page, "script").len(), 1);
}

#[test]
fn an_experiment_is_drawn_and_told() {
    let page = page(&[&picture::watched()]);
    let article = all(&page, "article.experiment")[0];
    assert_eq!(select(article, "rect.open.against").len(), 1);
    assert_eq!(select(article, "rect.unknown").len(), 1);
    let marks: Vec<String> = select(article, ".mark text").into_iter().map(text).collect();
    assert_eq!(marks, ["1 Git", "2 Flux", "3 policy", "4 data plane"]);
    let told = text(article);
    for part in [
        "✗ open for 312.4 ms",
        "✓ never shut",
        "clusters/flux/customer-a.yaml:12",
        "279 leaks in 2990 probes",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    let head = text(all(&page, "#runs")[0]);
    assert!(head.contains("longest that a forbidden edge was open 312.4 ms"), "{head}");
}

#[test]
fn mutants_are_scored_and_idle_scenarios_named() {
    let page = page(&[&sample::green(), &picture::mutated()]);
    let of_row = |row| select(row, "th, td").into_iter().map(text).collect::<Vec<_>>().join(" ");
    let rows: Vec<String> = all(&page, "#mutation tbody tr").into_iter().map(of_row).collect();
    assert!(rows[0].contains("✗ survived"), "survivors come first: {rows:?}");
    let score = |name: &str| rows.iter().find(|row| row.starts_with(name)).cloned();
    assert_eq!(score("isolation/other-tenants").unwrap(), "isolation/other-tenants 1 1 1");
    assert_eq!(score("isolation/platform").unwrap(), "isolation/platform 1 0 0");
    assert_eq!(score("isolation/hairpin").unwrap(), "isolation/hairpin 0 0 kills nothing");
    let head = text(all(&page, "#runs")[0]);
    assert!(head.contains("3 mutants: live 1 of 2 killable killed, by the files 2 of 2"), "{head}");
}

#[test]
fn what_is_not_judged_is_never_hidden() {
    let page = page(&[&sample::offline()]);
    let section = text(all(&page, "#unjudged")[0]);
    for part in [
        "2 not judged: policies of Cilium",
        "no file says how Loki answers",
        "customers/customer-b/cilium.yaml:5",
    ] {
        assert!(section.contains(part), "{section}");
    }
    assert!(all(&page, "#unjudged details").is_empty());
}

/// Thirty tenants, by the reference layout's numbers of cells, live and by the files.
#[test]
fn thirty_tenants_fit_a_page() {
    let live = picture::wide(30);
    let files = by_the_files(&live);
    assert!(judged(&live).count() > 69_000);
    let text = html::render_all(&[&live, &files]).unwrap();
    assert!(text.len() < html::BYTES_MAX, "{} bytes", text.len());
    assert!(text.contains("tenant-29 → tenant-28/weaviate"), "no proof is left out");
    assert!(!text.contains("are left out, because the page would grow"), "nothing is left out");
}

/// What is too much for a page leaves out what is well, and says so.
#[test]
fn a_page_stays_below_its_bound() {
    let mut events = picture::lengthy(34);
    picture::leak(&mut events);
    let text = html::render(&events).unwrap();
    assert!(text.len() < html::BYTES_MAX, "{} bytes", text.len());
    assert!(text.contains("squares are left out") && text.contains("122 more are left out"));
    let page = Html::parse_document(&text);
    links_resolve(&page);
    assert_eq!(all(&page, "details.q.bad").len(), 1, "what is not well stays");
}
