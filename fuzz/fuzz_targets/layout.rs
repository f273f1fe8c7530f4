//! The files of a layout.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use partywall_core::Layout;
use partywall_core::contract::Contract;
use partywall_core::source::SourceLocation;
use partywall_offline::draft::draft;
use partywall_offline::render::{Object, Rendered, parse_stream};
use partywall_offline::scan::readable_secrets;

fuzz_target!(|text: &str| {
    let layout = Layout::lenient(files(text));
    assert!(layout.unread.len() <= layout.files.len());
    let _ = (layout.namespaces(), readable_secrets(&layout));
    let text = draft(&layout, &as_written(&layout)).contract_text;
    assert!(Contract::load("partywall.yaml", &text).is_ok(), "{text}");
});

/// Parts behind a line `=== PATH`; what stands before the first is a file of its own.
fn files(text: &str) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for part in format!("=== all.yaml\n{text}").split("=== ").skip(1) {
        let (path, text) = part.split_once('\n').unwrap_or((part, ""));
        files.insert(path.to_string(), text.to_string());
    }
    files
}

/// Every object as if it were applied as it is written.
fn as_written(layout: &Layout) -> Rendered {
    let mut rendered = Rendered { sources: layout.clone(), ..Rendered::default() };
    for (file, text) in &layout.files {
        let place = || SourceLocation::new(file.clone(), 1);
        let objects = parse_stream(file, text).unwrap_or_default();
        let objects = objects.into_iter().map(|value| Object {
            value,
            origin: place(),
            applied_by: "Kustomization flux-system/x".to_string(),
        });
        rendered.objects.extend(objects);
    }
    rendered
}
