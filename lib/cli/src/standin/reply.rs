//! What the stand-in says: always the same to the same question.

use serde_json::{Map, Value, json};

use super::{prompt::tokens, request::Ask};

/// One block of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Block {
    Thinking {
        words: String,
        signature: String,
    },
    Text(String),
    /// Text with a citation.
    Cited(String),
    ToolUse {
        id: String,
        name: String,
        input: Value,
    },
    Search {
        id: String,
        query: String,
    },
    Unknown,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) blocks: Vec<Block>,
    pub(crate) stop_reason: String,
    pub(crate) stop_details: Value,
}

/// How much of the user's words it repeats.
const QUOTED_CHARS: usize = 200;

impl Reply {
    pub(crate) fn to(ask: &Ask, id: &str) -> Self {
        let say = &ask.directives.say;
        let mut blocks = Vec::new();
        let mut stop_reason = "end_turn";
        if let Some(shown) = ask.thinking() {
            let words = if shown { "A stand-in has little to think about. I repeat what I was told." } else { "" };
            blocks.push(Block::Thinking {
                words: words.to_owned(),
                signature: format!("c3RhbmQtaW4{}", ask.parts.len()),
            });
        }
        for search in 0..ask.directives.cost.web_searches {
            blocks.push(Block::Search { id: format!("srvtoolu_{}_{search}", bare(id)), query: ask.last_words.clone() });
        }
        if say.unknown_block {
            blocks.push(Block::Unknown);
        }
        match ask.tool_to_call() {
            Some(tool) => {
                stop_reason = "tool_use";
                blocks.push(Block::Text("I am a stand-in for Claude, and I call a tool.".to_owned()));
                blocks.push(tool_use(ask, tool, id));
            }
            None if say.cite => blocks.push(Block::Cited(words(ask))),
            None => blocks.push(Block::Text(words(ask))),
        }
        let mut reply = Self { blocks, stop_reason: stop_reason.to_owned(), stop_details: Value::Null };
        reply.end(ask);
        reply
    }

    fn end(&mut self, ask: &Ask) {
        let say = &ask.directives.say;
        if let Some(when) = &say.refusal {
            if when != "mid" {
                self.blocks.clear();
            }
            self.stop_reason = "refusal".to_owned();
            self.stop_details =
                json!({ "type": "refusal", "category": "cyber", "explanation": "The stand-in was told to refuse." });
        } else if self.bound(ask.max_tokens) {
            self.stop_reason = "max_tokens".to_owned();
        }
        if let Some(reason) = &say.stop_reason {
            self.stop_reason.clone_from(reason);
        }
    }

    /// Cuts the answer to `max_tokens`; true if there was more to say.
    fn bound(&mut self, max_tokens: u64) -> bool {
        let mut left = usize::try_from(max_tokens.saturating_mul(4)).unwrap_or(usize::MAX);
        for index in 0..self.blocks.len() {
            let bytes = self.blocks[index].bytes();
            if bytes <= left {
                left -= bytes;
                continue;
            }
            let keep = match &mut self.blocks[index] {
                Block::Text(text) | Block::Cited(text) | Block::Thinking { words: text, .. } if left > 0 => {
                    text.truncate(text.floor_char_boundary(left));
                    true
                }
                _ => false,
            };
            self.blocks.truncate(index + usize::from(keep));
            return true;
        }
        false
    }

    /// Whether nothing at all is said.
    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Output tokens: four bytes each, one at least.
    pub(crate) fn tokens(&self) -> u64 {
        tokens(self.blocks.iter().map(Block::bytes).sum()).max(1)
    }

    /// Those of them that are thinking.
    pub(crate) fn thinking_tokens(&self) -> Option<u64> {
        let thought = self.blocks.iter().filter(|block| matches!(block, Block::Thinking { .. })).map(Block::bytes);
        self.blocks.iter().any(|block| matches!(block, Block::Thinking { .. })).then(|| tokens(thought.sum()))
    }
}

impl Block {
    /// The bytes that count as output.
    fn bytes(&self) -> usize {
        match self {
            Self::Thinking { words, .. } => words.len(),
            Self::Text(text) | Self::Cited(text) => text.len(),
            Self::ToolUse { input, .. } => input.to_string().len(),
            Self::Search { query, .. } => search_input(query).to_string().len(),
            Self::Unknown => 0,
        }
    }
}

/// The input of a web search.
pub(crate) fn search_input(query: &str) -> Value {
    json!({ "query": query })
}

/// The letters of a message id that other ids are made of.
fn bare(id: &str) -> &str {
    id.strip_prefix("msg_").unwrap_or(id)
}

fn tool_use(ask: &Ask, tool: &Value, id: &str) -> Block {
    let given = ask.directives.say.tool_input.as_deref().and_then(|input| serde_json::from_str(input).ok());
    let input = given.unwrap_or_else(|| sample(&tool["input_schema"], &ask.last_words));
    let name = tool["name"].as_str().unwrap_or_default().to_owned();
    Block::ToolUse { id: format!("toolu_{}", bare(id)), name, input }
}

/// A value that fits the plain cases of a JSON schema; every property is filled in.
fn sample(schema: &Value, words: &str) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("object") => {
            let fields = schema["properties"].as_object().into_iter().flatten();
            Value::Object(fields.map(|(name, inner)| (name.clone(), sample(inner, words))).collect::<Map<_, _>>())
        }
        Some("array") => json!([sample(&schema["items"], words)]),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        _ => json!(words),
    }
}

fn words(ask: &Ask) -> String {
    if let Some(text) = &ask.directives.say.text {
        return text.clone();
    }
    let mut text = match &ask.tool_results {
        Some(results) => format!("I am a stand-in for Claude. The tool answered: {}.", clip(results)),
        None => format!("I am a stand-in for Claude, and I cost nothing. You said: “{}”.", clip(&ask.last_words)),
    };
    let (messages, turns) = ask.turns();
    text.push_str(&format!(" This is your turn {turns}; I was given {messages} message(s)."));
    for piece in text.split_whitespace().count()..ask.directives.say.deltas.unwrap_or(0) {
        text.push_str(&format!(" piece-{piece}"));
    }
    text
}

fn clip(text: &str) -> String {
    text.chars().take(QUOTED_CHARS).collect()
}
