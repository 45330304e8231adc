//! What a caller may say besides the turn: the model, the length, the instructions, and what goes out as it came.

use super::json::{Node, Object};
use crate::Error;

/// Output tokens beyond this are a mistake, whatever the model.
const MAX_TOKENS_BOUND: u64 = 10_000_000;
/// Fields of Claude's API that are passed on as they came, with the JSON that they must be.
const PASSED: [(&str, &[char], &str); 5] = [
    ("tools", &['['], "a list of tools"),
    ("tool_choice", &['{'], "an object"),
    ("thinking", &['{'], "an object"),
    ("output_config", &['{'], "an object"),
    ("stop_sequences", &['['], "a list of strings"),
];

/// The options of a call. None of them is stored: they come with every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatOptions {
    /// The model; `None` is the plan's own.
    pub model: Option<String>,
    /// Most output tokens; `None` is the plan's own.
    pub max_tokens: Option<u64>,
    /// The system text.
    pub system: Option<String>,
    /// Whether prompt caching may be used.
    pub cache: bool,
    /// Fields of Claude's API with their JSON.
    pub passed: Vec<(&'static str, String)>,
}

impl ChatOptions {
    /// The names of all options.
    pub(super) const FIELDS: [&str; 9] = [
        "model",
        "max_tokens",
        "system",
        "cache",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
        "stop_sequences",
    ];

    pub(super) fn read(body: &Object<'_>) -> Result<Self, Error> {
        let words = |name| body.get(name)?.map(|node| node.words()).transpose();
        let mut passed = Vec::new();
        for (name, kinds, wanted) in PASSED {
            if let Some(node) = body.get(name)? {
                passed.push((name, node.passed(kinds, wanted)?));
            }
        }
        Ok(Self {
            model: words("model")?,
            max_tokens: body.get("max_tokens")?.map(|node| node.count(MAX_TOKENS_BOUND)).transpose()?,
            system: words("system")?,
            cache: body.get("cache")?.as_ref().map_or(Ok(true), Node::flag)?,
            passed,
        })
    }

    /// The caller's tools, as JSON.
    pub fn tools(&self) -> Option<&str> {
        self.passed("tools")
    }

    /// How Claude is to think, as JSON.
    pub fn thinking(&self) -> Option<&str> {
        self.passed("thinking")
    }

    fn passed(&self, wanted: &str) -> Option<&str> {
        self.passed.iter().find(|(name, _)| *name == wanted).map(|(_, json)| json.as_str())
    }

    /// How long the options are that go into the prompt: a bound of their tokens.
    pub fn bytes(&self) -> u64 {
        let passed: usize = self.passed.iter().map(|(_, json)| json.len()).sum();
        (passed + self.system.as_ref().map_or(0, String::len)) as u64
    }
}
