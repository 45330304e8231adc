//! The functions' environment: the real one, then `.env.local`, then `.env`; the first that has a name wins.

use std::{collections::BTreeMap, ffi::OsString, path::Path};

use purser::env::{self, Var};

/// Variables that functions get, and that the supervisor itself reads.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    all: BTreeMap<OsString, OsString>,
    /// Whether the user wants the headers of a proxy before us to be believed.
    pub(super) trusts_proxy: bool,
}

/// What `cargo run` and `vercel dev` leave behind, and what would change how a function behaves.
const DROPPED_PREFIXES: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
const DROPPED: [&str; 5] = ["VERCEL_DEV", "VERCEL_DEV_PORT", "VERCEL_IPC_PATH", "CARGO", "CARGO_CRATE_NAME"];

impl Environment {
    /// Reads the environment and the two files, where they are there.
    pub(super) fn load(root: &Path) -> Result<Self, String> {
        let mut all: BTreeMap<OsString, OsString> = std::env::vars_os().filter(|(name, _)| !is_dropped(name)).collect();
        for file in [".env.local", ".env"] {
            let text = match std::fs::read_to_string(root.join(file)) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(format!("{file}: {error}")),
            };
            for (name, value) in parse(&text).map_err(|line| format!("{file}: line {line} is not NAME=VALUE"))? {
                all.entry(name.into()).or_insert_with(|| value.into());
            }
        }
        let mut environment = Self { all, trusts_proxy: false };
        environment.trusts_proxy = environment.get(&env::TRUST_PROXY).as_deref() == Some("1");
        Ok(environment)
    }

    /// These and no others.
    pub(crate) fn only(vars: impl IntoIterator<Item = (String, String)>) -> Self {
        let all = vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { all, trusts_proxy: false }
    }

    /// A variable; an empty one counts as absent.
    pub(super) fn get(&self, var: &Var) -> Option<String> {
        let value = self.all.get(&OsString::from(var.name))?.to_str()?.trim().to_owned();
        Some(value).filter(|value| !value.is_empty())
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.all.insert(name.into(), value.into());
    }

    pub(super) fn vars(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.all.iter()
    }
}

/// The names in the real environment that are not passed on.
pub(super) fn dropped() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(is_dropped)
}

fn is_dropped(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    DROPPED.contains(&&*name) || DROPPED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// `NAME=VALUE` lines, `export` before and `#` after them, values in single or double quotes (`\n` in the latter).
/// A name that comes twice has its last value. The error is the line's number.
fn parse(text: &str) -> Result<BTreeMap<String, String>, usize> {
    let mut all = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=').ok_or(index + 1)?;
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(index + 1);
        }
        all.insert(name.to_owned(), value_of(value.trim()));
    }
    Ok(all)
}

fn value_of(text: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote)
            && let Some(end) = inside.find(quote)
        {
            let value = &inside[..end];
            return if quote == '"' { value.replace("\\n", "\n") } else { value.to_owned() };
        }
    }
    text.split(" #").next().unwrap_or_default().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dotenv_file_is_read_as_others_read_it() {
        let all =
            parse("# a comment\nA=1\n\nexport B = two # why\nC=\"x # \\n y\"\nD='$A'\nE=\nF=a=b\nA=last\n").unwrap();
        let expected = [("A", "last"), ("B", "two"), ("C", "x # \n y"), ("D", "$A"), ("E", ""), ("F", "a=b")];
        let expected: Vec<_> = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(all.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_line_that_does_not_fit_is_named() {
        assert_eq!(parse("A=1\nnonsense\n"), Err(2));
    }
}
