//! The page in a real browser: what the script does, and what is there without it. Listed
//! always; run with `PARTYWALL_LIVE=1` where Chromium is installed.

#![expect(clippy::unwrap_used, reason = "a test says what it saw")]

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use partywall_report::html;
use partywall_tool::{Tool, find_program};
use scraper::{ElementRef, Html, Selector};

#[path = "it/picture.rs"]
#[expect(dead_code, reason = "this binary needs a part of the samples")]
mod picture;
#[path = "it/sample.rs"]
#[expect(dead_code, reason = "this binary needs a part of the samples")]
mod sample;

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];
const LIMIT: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let is_live = std::env::var_os("PARTYWALL_LIVE").is_some_and(|value| value == "1");
    type Body = fn(&Browser) -> Result<(), Failed>;
    let bodies: [(&str, Body); 5] = [
        ("a_link_opens_the_proof", a_link_opens_the_proof),
        ("a_filter_hides_rows", a_filter_hides_rows),
        ("a_filter_hides_columns", a_filter_hides_columns),
        ("only_what_needs_a_look", only_what_needs_a_look),
        ("without_the_script", without_the_script),
    ];
    let trial = |(name, body): (&str, Body)| {
        Trial::ignorable_test(name, move || match (is_live, program()) {
            (false, _) => Ok(Completion::ignored_with("it starts a browser: PARTYWALL_LIVE=1")),
            (true, None) => Ok(Completion::ignored_with("no Chromium is installed")),
            (true, Some(program)) => body(&Browser::new(program)?).map(|()| Completion::Completed),
        })
    };
    libtest_mimic::run(&arguments, bodies.into_iter().map(trial).collect()).exit_code()
}

fn program() -> Option<PathBuf> {
    BROWSERS.into_iter().find_map(find_program)
}

/// A browser and a folder for its pages.
struct Browser {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Browser {
    fn new(program: PathBuf) -> Result<Self, Failed> {
        Ok(Self { program, folder: tempfile::tempdir()? })
    }

    /// The document as it is once it is loaded; `at` is what follows the file's name.
    fn document(&self, page: &str, at: &str) -> Result<Html, Failed> {
        let file = self.folder.path().join("report.html");
        fs::write(&file, page)?;
        let url = format!("file://{}{at}", file.display());
        let profile = format!("--user-data-dir={}", self.folder.path().join("profile").display());
        let output = Tool::new(&self.program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
            .args([profile, url])
            .timeout(LIMIT)
            .run()?;
        Ok(Html::parse_document(&output.stdout_text()))
    }
}

fn select<'a>(page: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    page.select(&Selector::parse(selector).unwrap()).collect()
}

fn red() -> String {
    html::render_all(&[&sample::red(), &picture::watched(), &picture::mutated()]).unwrap()
}

fn is_open(element: ElementRef<'_>) -> bool {
    let parents = element.ancestors().filter_map(ElementRef::wrap);
    let mut details = parents.filter(|parent| parent.value().name() == "details");
    details.all(|parent| parent.value().attr("open").is_some())
}

/// The first square that leaks, as the matrix links to it.
fn leak(page: &str) -> String {
    let page = Html::parse_document(page);
    let link = select(&page, ".grid td.bad a")[0].value().attr("href").unwrap();
    link.trim_start_matches('#').to_string()
}

fn check(holds: bool, what: &str) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(what.into()) }
}

fn a_link_opens_the_proof(browser: &Browser) -> Result<(), Failed> {
    let page = red();
    let id = leak(&page);
    let document = browser.document(&page, &format!("#{id}"))?;
    let square = select(&document, &format!("#{id}"))[0];
    check(is_open(square), "the parts around the square are open")?;
    let closed = select(&document, "#proof details:not([open])");
    check(!closed.is_empty(), "the others are not")
}

/// Visible rows of the matrices.
fn rows(document: &Html) -> Vec<String> {
    let shown = select(document, ".grid tbody tr:not(.away) th");
    shown.into_iter().map(|row| row.text().collect()).collect()
}

fn a_filter_hides_rows(browser: &Browser) -> Result<(), Failed> {
    let page = red();
    let before = rows(&browser.document(&page, "")?);
    check(before.iter().any(|row| row == "customer-a"), "every row is there at first")?;
    let document = browser.document(&page, "?filter=customer-b")?;
    let after = rows(&document);
    check(!after.is_empty() && after.iter().all(|row| row == "customer-b"), &format!("{after:?}"))?;
    let shown = select(&document, "#proof .q:not(.away) > summary");
    let all: Vec<String> = shown.into_iter().map(|square| square.text().collect()).collect();
    check(all.iter().all(|square| square.contains("customer-b")), &format!("{all:?}"))
}

fn a_filter_hides_columns(browser: &Browser) -> Result<(), Failed> {
    let document = browser.document(&red(), "?filter=postgres")?;
    let shown = select(&document, ".grid thead tr:last-child th:not(.away)");
    let shown: Vec<String> = shown.into_iter().map(|head| head.text().collect()).collect();
    check(!shown.is_empty() && shown.iter().all(|head| head == "postgres"), &format!("{shown:?}"))
}

fn only_what_needs_a_look(browser: &Browser) -> Result<(), Failed> {
    let document = browser.document(&red(), "?only")?;
    let shown = select(&document, "#proof .q:not(.away)");
    let is_well = |square: &ElementRef<'_>| square.value().classes().any(|class| class == "good");
    check(!shown.is_empty() && !shown.iter().any(is_well), "what is well is hidden")?;
    let green = html::render(&sample::green()).unwrap();
    let document = browser.document(&green, "?only")?;
    check(select(&document, "#proof .q:not(.away)").is_empty(), "nothing of a green run is left")
}

fn without_the_script(browser: &Browser) -> Result<(), Failed> {
    let page = red();
    let allowed = page.find("script-src 'sha256-").ok_or("the policy names the script")?;
    let end = page[allowed..].find("\">").ok_or("the policy ends")? + allowed;
    let without = format!("{}script-src 'none'{}", &page[..allowed], &page[end..]);
    let id = leak(&page);
    let document = browser.document(&without, &format!("#{id}"))?;
    check(select(&document, "#tools[hidden]").len() == 1, "the tools stay hidden")?;
    let square = select(&document, &format!("#{id}"))[0];
    check(is_open(square), "the browser itself opens what a link points into")?;
    let with = browser.document(&page, "")?;
    check(select(&with, "#tools:not([hidden])").len() == 1, "the script runs by its hash")?;
    let count = |document: &Html| select(document, "main *").len();
    check(count(&document) == count(&with), "the script adds nothing to the contents")
}
