//! Reading a command line.

use std::{collections::VecDeque, ffi::OsString, str::FromStr};

use super::Failure;

/// What is left of the command line.
pub(crate) struct Arguments(VecDeque<OsString>);

impl Arguments {
    pub(crate) fn new(arguments: impl IntoIterator<Item = OsString>) -> Self {
        Self(arguments.into_iter().collect())
    }

    /// Takes the command's name, if the line begins with one. `--help` alone is the command `help`.
    pub(crate) fn command(&mut self) -> Option<String> {
        let first = self.0.front()?.to_string_lossy().into_owned();
        if self.0.len() == 1 && (first == "--help" || first == "-h") {
            return Some("help".to_owned());
        }
        if first.starts_with('-') {
            return None;
        }
        self.0.pop_front();
        Some(first)
    }

    /// Takes a switch.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let found = self.0.iter().position(|argument| argument == name);
        found.is_some_and(|index| self.0.remove(index).is_some())
    }

    pub(crate) fn asks_for_help(&mut self) -> bool {
        self.flag("--help") || self.flag("-h")
    }

    /// Takes `--name VALUE` or `--name=VALUE`.
    pub(crate) fn value(&mut self, name: &str) -> Result<Option<OsString>, Failure> {
        let prefix = format!("{name}=");
        for index in 0..self.0.len() {
            if self.0[index] == name {
                self.0.remove(index);
                let missing = || Failure::usage(format!("{name} needs a value"));
                return self.0.remove(index).ok_or_else(missing).map(Some);
            }
            if let Some(value) = self.0[index].to_str().and_then(|argument| argument.strip_prefix(&prefix)) {
                let value = value.into();
                self.0.remove(index);
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// Takes `--name VALUE` and reads it.
    pub(crate) fn parsed<T: FromStr>(&mut self, name: &str, what: &str) -> Result<Option<T>, Failure> {
        let Some(value) = self.value(name)? else { return Ok(None) };
        let text = value.to_string_lossy();
        let wrong = || Failure::usage(format!("{name} takes {what}, not `{text}`"));
        text.parse().map(Some).map_err(|_| wrong())
    }

    /// The next argument, whatever it is.
    pub(crate) fn next(&mut self) -> Option<OsString> {
        self.0.pop_front()
    }

    /// All that a command does not know is an error.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self.0.front() {
            None => Ok(()),
            Some(rest) => Err(Failure::usage(format!("`{}` is not understood here", rest.to_string_lossy()))),
        }
    }
}
