//! What `purser serve` takes from `vercel.json`.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde::Deserialize;
use serde_json::Value;

use super::pattern::Pattern;

/// `vercel.json`, as far as it says how requests are routed and answered.
#[derive(Debug, Default)]
pub(super) struct Config {
    pub(super) rewrites: Vec<(Pattern, String)>,
    pub(super) headers: Vec<(Pattern, Vec<(String, String)>)>,
    functions: BTreeMap<String, FunctionRule>,
}

#[derive(Debug, Default, Deserialize)]
struct File {
    #[serde(default)]
    rewrites: Vec<Rewrite>,
    #[serde(default)]
    headers: Vec<HeaderRule>,
    #[serde(default)]
    functions: BTreeMap<String, FunctionRule>,
}

#[derive(Debug, Deserialize)]
struct Rewrite {
    source: String,
    destination: String,
}

#[derive(Debug, Deserialize)]
struct HeaderRule {
    source: String,
    headers: Vec<Header>,
}

#[derive(Debug, Deserialize)]
struct Header {
    key: String,
    value: String,
}

#[derive(Debug, Deserialize)]
struct FunctionRule {
    /// Seconds, or `"max"`.
    #[serde(rename = "maxDuration")]
    max_duration: Option<Value>,
}

impl Config {
    pub(super) fn read(root: &Path) -> Result<Self, String> {
        let file: File = match std::fs::read_to_string(root.join("vercel.json")) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| format!("vercel.json: {error}"))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => File::default(),
            Err(error) => return Err(format!("vercel.json: {error}")),
        };
        let pattern = |source: &str| Pattern::new(source).map_err(|error| format!("vercel.json: {error}"));
        let mut config = Self { functions: file.functions, ..Self::default() };
        for rewrite in file.rewrites {
            config.rewrites.push((pattern(&rewrite.source)?, rewrite.destination));
        }
        for rule in file.headers {
            let headers = rule.headers.into_iter().map(|header| (header.key, header.value)).collect();
            config.headers.push((pattern(&rule.source)?, headers));
        }
        Ok(config)
    }

    /// How long a function of that file may take, if that is bounded.
    pub(super) fn max_duration(&self, file: &str) -> Option<Duration> {
        let (_, rule) = self.functions.iter().find(|(glob, _)| matches_glob(glob, file))?;
        rule.max_duration.as_ref()?.as_u64().map(Duration::from_secs)
    }
}

/// `*` within a folder's name, `**` for any number of folders.
fn matches_glob(glob: &str, path: &str) -> bool {
    match glob.split_once('/') {
        Some(("**", rest)) => {
            matches_glob(rest, path) || path.split_once('/').is_some_and(|(_, deeper)| matches_glob(glob, deeper))
        }
        Some((first, rest)) => {
            path.split_once('/').is_some_and(|(name, deeper)| matches_name(first, name) && matches_glob(rest, deeper))
        }
        None => !path.contains('/') && matches_name(glob, path),
    }
}

fn matches_name(glob: &str, name: &str) -> bool {
    match glob.split_once('*') {
        None => glob == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).any(|at| rest.is_char_boundary(at) && matches_name(after, &rest[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_spans_folders_only_where_it_says_so() {
        for path in ["api/chat.rs", "api/conversations/[id].rs"] {
            assert!(matches_glob("api/**/*.rs", path), "{path}");
        }
        assert!(matches_glob("api/chat.rs", "api/chat.rs"));
        assert!(!matches_glob("api/*.rs", "api/conversations/[id].rs"));
        assert!(!matches_glob("api/**/*.rs", "lib/chat.rs"));
    }
}
