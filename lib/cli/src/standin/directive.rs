//! Directives: what a test asks the stand-in to do, as `[[standin: name name=value name="a value"]]`.
//!
//! | directive | effect |
//! | --- | --- |
//! | `error=TYPE` | an error instead of an answer; `status=N`, `retry_after=S`, `error_code=CODE` go with it |
//! | `latency_ms=N` | wait before the head |
//! | `delta_ms=N` | wait before each event after the first |
//! | `gate=NAME` | the stream waits after its first content delta until the gate is opened; `gate=NAME@N`: after N events; `@0` and unstreamed answers: before the head |
//! | `hang` | never answers; not billed |
//! | `cut_before_head` | closes the connection without an answer; not billed |
//! | `cut_after=N` | closes the connection after N events (unstreamed: in mid-body) |
//! | `mid_error=TYPE` | an `error` event after the first content delta, then the end; `mid_error=TYPE@N`: after N events |
//! | `no_stop` | the stream ends in good order without `message_stop` |
//! | `no_final` | the stream ends in good order without `message_delta` and `message_stop` |
//! | `no_usage` | no usage anywhere; `no_usage=final`: only the last one is missing |
//! | `message_deltas=2` | an earlier `message_delta` with the usage up to then |
//! | `text="…"` | the reply's words |
//! | `deltas=N` | the text comes in N pieces |
//! | `cite` | the text cites a page |
//! | `thinking` | a thinking block with a signature, also where thinking was not asked for |
//! | `tool` or `tool=NAME` | a call of the first or that tool; `tool_input="{…}"` is its input |
//! | `web_search=N` | N server-side searches; the input grows by 1,000 tokens each while it runs |
//! | `usage_growth=N` | the input grows by N tokens between start and end |
//! | `cache_growth=N` | five-minute cache writes grow by N tokens between start and end |
//! | `refusal` | `stop_reason` refusal before any output, not billed; `refusal=mid`: after the text, billed |
//! | `unknown_event`, `unknown_block` | an event, a block and a delta of kinds that do not exist yet |
//! | `stop_reason=WORD` | that stop reason |
//! | `model_echo=ID` | the answer names that model |
//! | `tokens=N` | output tokens |
//! | `input=N`, `cache_read=N`, `cache_write_5m=N`, `cache_write_1h=N` | those token counts instead of the counted ones |
//! | `bill_as=WORD` | the bill calls it so |
//! | `speed=WORD`, `geo=WORD`, `tier=WORD` | what the usage reports |

/// What goes wrong instead of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) error: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) retry_after_s: Option<u64>,
    pub(crate) error_code: Option<String>,
}

/// A thing that happens after so many events; without a number, after the first content delta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) name: String,
    pub(crate) after: Option<usize>,
}

/// How the answer is played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Play {
    pub(crate) latency_ms: u64,
    pub(crate) delta_ms: u64,
    pub(crate) gates: Vec<Mark>,
    pub(crate) hang: bool,
    pub(crate) cut_before_head: bool,
    pub(crate) cut_after: Option<usize>,
    pub(crate) mid_error: Option<Mark>,
}

/// Which parts of a stream are missing or doubled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wire {
    pub(crate) no_stop: bool,
    pub(crate) no_final: bool,
    pub(crate) no_usage: bool,
    pub(crate) no_final_usage: bool,
    pub(crate) message_deltas: usize,
    pub(crate) unknown_event: bool,
}

/// What the answer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Say {
    pub(crate) text: Option<String>,
    pub(crate) deltas: Option<usize>,
    pub(crate) thinking: bool,
    pub(crate) cite: bool,
    /// `Some("")` for the first tool.
    pub(crate) tool: Option<String>,
    pub(crate) tool_input: Option<String>,
    pub(crate) refusal: Option<String>,
    pub(crate) unknown_block: bool,
    pub(crate) stop_reason: Option<String>,
    pub(crate) model_echo: Option<String>,
}

/// What the answer costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) output: Option<u64>,
    pub(crate) input: Option<u64>,
    pub(crate) cache_read: Option<u64>,
    pub(crate) cache_write_5m: Option<u64>,
    pub(crate) cache_write_1h: Option<u64>,
    pub(crate) web_searches: u64,
    pub(crate) label: Option<String>,
    pub(crate) usage_growth: u64,
    pub(crate) cache_growth: u64,
    pub(crate) speed: Option<String>,
    pub(crate) geo: Option<String>,
    pub(crate) tier: Option<String>,
}

/// All directives of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directives {
    pub(crate) failure: Failure,
    pub(crate) play: Play,
    pub(crate) wire: Wire,
    pub(crate) say: Say,
    pub(crate) cost: Cost,
}

const OPEN: &str = "[[standin:";
const CLOSE: &str = "]]";

/// Splits a text into its directives and what is left of it.
pub(crate) fn split(text: &str) -> (String, String) {
    let (mut directives, mut rest) = (String::new(), text.to_owned());
    while let Some(start) = rest.find(OPEN) {
        let inside = start + OPEN.len();
        let Some(length) = rest[inside..].find(CLOSE) else { break };
        directives.push(' ');
        directives.push_str(&rest[inside..inside + length]);
        rest.replace_range(start..inside + length + CLOSE.len(), "");
    }
    (directives, rest.trim().to_owned())
}

/// Reads directives; the error names the one that does not fit.
pub(crate) fn parse(text: &str) -> Result<Directives, String> {
    let mut all = Directives::default();
    for (name, value) in words(text)? {
        all.set(&name, &value)?;
    }
    Ok(all)
}

impl Directives {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let word = || Some(value.to_owned());
        match name {
            "error" => self.failure.error = word(),
            "status" => self.failure.status = Some(number(name, value)?),
            "retry_after" => self.failure.retry_after_s = Some(number(name, value)?),
            "error_code" => self.failure.error_code = word(),
            "latency_ms" => self.play.latency_ms = number(name, value)?,
            "delta_ms" => self.play.delta_ms = number(name, value)?,
            "gate" => self.play.gates.push(mark(name, value)?),
            "hang" => self.play.hang = true,
            "cut_before_head" => self.play.cut_before_head = true,
            "cut_after" => self.play.cut_after = Some(number(name, value)?),
            "mid_error" => self.play.mid_error = Some(mark(name, value)?),
            "no_stop" => self.wire.no_stop = true,
            "no_final" => self.wire.no_final = true,
            "no_usage" if value == "final" => self.wire.no_final_usage = true,
            "no_usage" => self.wire.no_usage = true,
            "message_deltas" => self.wire.message_deltas = number(name, value)?,
            "unknown_event" => self.wire.unknown_event = true,
            _ => return self.set_content(name, value),
        }
        Ok(())
    }

    fn set_content(&mut self, name: &str, value: &str) -> Result<(), String> {
        let word = || Some(value.to_owned());
        match name {
            "text" => self.say.text = word(),
            "deltas" => self.say.deltas = Some(number(name, value)?),
            "thinking" => self.say.thinking = true,
            "cite" => self.say.cite = true,
            "tool" => self.say.tool = word(),
            "tool_input" => self.say.tool_input = word(),
            "refusal" => self.say.refusal = word(),
            "unknown_block" => self.say.unknown_block = true,
            "stop_reason" => self.say.stop_reason = word(),
            "model_echo" => self.say.model_echo = word(),
            "tokens" => self.cost.output = Some(number(name, value)?),
            "input" => self.cost.input = Some(number(name, value)?),
            "cache_read" => self.cost.cache_read = Some(number(name, value)?),
            "cache_write_5m" => self.cost.cache_write_5m = Some(number(name, value)?),
            "cache_write_1h" => self.cost.cache_write_1h = Some(number(name, value)?),
            "web_search" => self.cost.web_searches = number(name, value)?,
            "bill_as" => self.cost.label = word(),
            "usage_growth" => self.cost.usage_growth = number(name, value)?,
            "cache_growth" => self.cost.cache_growth = number(name, value)?,
            "speed" => self.cost.speed = word(),
            "geo" => self.cost.geo = word(),
            "tier" => self.cost.tier = word(),
            _ => return Err(format!("standin: there is no directive `{name}`")),
        }
        Ok(())
    }
}

fn number<N: std::str::FromStr>(name: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("standin: `{name}` takes a number, not `{value}`"))
}

fn mark(name: &str, value: &str) -> Result<Mark, String> {
    match value.split_once('@') {
        Some((word, after)) => Ok(Mark { name: word.to_owned(), after: Some(number(name, after)?) }),
        None if value.is_empty() => Err(format!("standin: `{name}` takes a name")),
        None => Ok(Mark { name: value.to_owned(), after: None }),
    }
}

/// `name`, `name=value`, `name="a value"` with `\"` for a quote inside.
fn words(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let mut name = String::new();
        while let Some(c) = chars.next_if(|c| !c.is_whitespace() && *c != '=') {
            name.push(c);
        }
        if name.is_empty() {
            return if chars.peek().is_none() { Ok(words) } else { Err("standin: `=` without a name".to_owned()) };
        }
        let mut value = String::new();
        if chars.next_if_eq(&'=').is_some() {
            if chars.next_if_eq(&'"').is_some() {
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => value.extend(chars.next()),
                        Some(c) => value.push(c),
                        None => return Err(format!("standin: the quotes of `{name}` do not close")),
                    }
                }
            } else {
                while let Some(c) = chars.next_if(|c| !c.is_whitespace()) {
                    value.push(c);
                }
            }
        }
        words.push((name, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_taken_out_of_the_text() {
        let (directives, rest) = split("Say [[standin: tokens=7]] hello [[standin: gate=a@3 hang]]");
        let all = parse(&directives).unwrap();
        assert_eq!(all.cost.output, Some(7));
        assert_eq!(all.play.gates, [Mark { name: "a".to_owned(), after: Some(3) }]);
        assert!(all.play.hang);
        assert_eq!(rest, "Say  hello");
    }

    #[test]
    fn a_quoted_value_may_hold_blanks_and_quotes() {
        let all = parse(r#"text="a \"b\" c" tool_input="{\"n\": 1}""#).unwrap();
        assert_eq!(all.say.text.as_deref(), Some(r#"a "b" c"#));
        assert_eq!(all.say.tool_input.as_deref(), Some(r#"{"n": 1}"#));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert!(parse("tokns=7").unwrap_err().contains("tokns"));
        assert!(parse("tokens=many").unwrap_err().contains("many"));
        assert!(parse("text=\"open").unwrap_err().contains("text"));
    }
}
