//! The project: which function lives at which URL.

use std::{collections::BTreeSet, path::Path, time::Duration};

use serde::Deserialize;

use super::config::Config;

/// One function.
#[derive(Debug)]
pub(crate) struct Spec {
    /// The binary's name.
    pub(crate) name: String,
    /// Its URL's segments.
    pub(super) route: Vec<Segment>,
    /// How long a request may take.
    pub(super) max_duration: Option<Duration>,
}

/// A segment of a function's URL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Word(String),
    /// `[name]`
    Param(String),
}

/// A project as far as serving it goes.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) functions: Vec<Spec>,
    pub(super) config: Config,
    /// What is wrong with it, though it can be served.
    pub(super) notes: Vec<String>,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    bin: Vec<Bin>,
}

#[derive(Deserialize)]
struct Bin {
    name: String,
    path: Option<String>,
}

impl Project {
    pub(crate) fn read(root: &Path) -> Result<Self, String> {
        let config = Config::read(root)?;
        let text = std::fs::read_to_string(root.join("Cargo.toml")).map_err(|error| format!("Cargo.toml: {error}"))?;
        let manifest: Manifest = toml::from_str(&text).map_err(|error| format!("Cargo.toml: {error}"))?;
        let (mut functions, mut listed) = (Vec::new(), BTreeSet::new());
        for bin in manifest.bin {
            let Some(file) = bin.path.filter(|path| path.starts_with("api/")) else { continue };
            let Some(route) = route(&file) else { continue };
            functions.push(Spec { name: bin.name, route, max_duration: config.max_duration(&file) });
            listed.insert(file);
        }
        if functions.is_empty() {
            return Err("Cargo.toml has no [[bin]] whose path is in api/: there is nothing to serve".to_owned());
        }
        let mut notes = Vec::new();
        for file in files(&root.join("api"), "api") {
            if !listed.contains(&file) && route(&file).is_some() {
                notes.push(format!("{file} has no [[bin]] in Cargo.toml, so it is not served"));
            }
        }
        Ok(Self { functions, config, notes })
    }
}

/// The URL of a file, or nothing for what is private (`_…`) or no Rust.
fn route(file: &str) -> Option<Vec<Segment>> {
    let path = file.strip_suffix(".rs")?;
    let path = path.strip_suffix("/index").unwrap_or(path);
    path.split('/')
        .map(|segment| match segment.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(name) => Some(Segment::Param(name.to_owned())),
            None if segment.starts_with(['_', '.']) => None,
            None => Some(Segment::Word(segment.to_owned())),
        })
        .collect()
}

/// All files below a folder, with `/` between names.
fn files(folder: &Path, name: &str) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let inner = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            all.extend(files(&entry.path(), &inner));
        } else {
            all.push(inner);
        }
    }
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_its_url() {
        let word = |word: &str| Segment::Word(word.to_owned());
        assert_eq!(route("api/chat.rs"), Some(vec![word("api"), word("chat")]));
        assert_eq!(route("api/conversations/index.rs"), Some(vec![word("api"), word("conversations")]));
        let id = Segment::Param("id".to_owned());
        assert_eq!(route("api/conversations/[id].rs"), Some(vec![word("api"), word("conversations"), id]));
        assert_eq!(route("api/_shared/thing.rs"), None);
        assert_eq!(route("api/notes.md"), None);
    }
}
