//! Lists the scenario files beside this one, so that a file that is dropped into a topic's
//! folder is built in without a registry to edit.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=.");
    let root = env::current_dir()?;
    let mut paths = Vec::new();
    for topic in fs::read_dir(&root)? {
        let topic = topic?.path();
        let is_topic = topic.is_dir() && !topic.ends_with("src") && !topic.ends_with("tests");
        if !is_topic {
            continue;
        }
        for file in fs::read_dir(&topic)? {
            let file = file?.path();
            if file.extension().is_some_and(|extension| extension == "yaml") {
                paths.push(file);
            }
        }
    }
    paths.sort();
    let mut code = String::from("[\n");
    for path in &paths {
        let name = path.strip_prefix(&root).unwrap_or(path).display().to_string();
        // Told from this package's folder, so that a build folder that two checkouts share never
        // reads the other one's files.
        let full = format!("concat!(env!(\"CARGO_MANIFEST_DIR\"), {:?})", format!("/{name}"));
        let _written = writeln!(code, "    ({name:?}, include_str!({full})),");
    }
    code.push_str("]\n");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("no OUT_DIR"))?;
    fs::write(Path::new(&out).join("built_in.rs"), code)
}
