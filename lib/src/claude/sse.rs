//! Server-sent events out of bytes that arrive in any split (WHATWG HTML, 9.2.6).

use memchr::{memchr, memchr2};

use super::ClaudeError;

/// The largest event: far above any that Claude sends, far below what would hurt.
const EVENT_MAX_BYTES: usize = 8 * 1024 * 1024;
/// What stands for a line of which nothing is kept: a comment.
const COMMENT: u8 = b':';

/// Cuts a byte stream into the data of its events. Names, unknown fields and comments are passed over: Claude's events
/// say in their data what they are. An event that lies whole in the bytes that came is handed on where it lies.
#[derive(Debug, Default)]
pub struct EventSplitter {
    /// A line that has begun.
    line: Vec<u8>,
    /// What an event that has begun has said, unless it stands in the bytes at hand.
    data: Vec<u8>,
    has_begun: bool,
    has_data: bool,
    after_cr: bool,
    /// The event is too large: nothing of it is kept or handed on.
    is_dropped: bool,
}

enum Field<'a> {
    /// The event is over.
    End,
    Data(&'a [u8]),
    Name,
    Other,
}

impl EventSplitter {
    /// Takes the next bytes and hands the data of every event that is complete to `on_data`: its `data:` lines, joined by
    /// line feeds.
    ///
    /// # Errors
    /// A protocol error where an event grows beyond the bound or is not UTF-8. That event is dropped, and those after it
    /// are handed on.
    pub fn push(&mut self, mut bytes: &[u8], mut on_data: impl FnMut(&str)) -> Result<(), ClaudeError> {
        let mut result = Ok(());
        // The event's only data line so far, where it stands in `bytes`.
        let mut at_hand: Option<&[u8]> = None;
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_cr) && bytes.first() == Some(&b'\n') {
                bytes = bytes.get(1..).unwrap_or_default();
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', bytes) else {
                self.keep_line(bytes);
                break;
            };
            let (line, rest) = bytes.split_at(end);
            self.after_cr = rest.first() == Some(&b'\r');
            bytes = rest.get(1..).unwrap_or_default();
            if !self.line.is_empty() {
                self.keep_line(line);
                let mut whole = std::mem::take(&mut self.line);
                // No line that has begun is empty, so this ends no event.
                if let Field::Data(value) = self.field(&whole) {
                    self.keep_data(at_hand.take(), value);
                }
                whole.clear();
                self.line = whole;
                continue;
            }
            match self.field(line) {
                Field::Data(value) if !self.has_data => {
                    self.has_data = true;
                    at_hand = Some(value);
                }
                Field::Data(value) => self.keep_data(at_hand.take(), value),
                Field::End => {
                    let said = self.end(at_hand.take(), &mut on_data);
                    result = result.and(said);
                }
                Field::Name | Field::Other => {}
            }
        }
        self.data.extend_from_slice(at_hand.filter(|_| !self.is_dropped).unwrap_or_default());
        result.and(self.bound())
    }

    /// Whether the bytes so far end where an event ends.
    pub fn is_between_events(&self) -> bool {
        self.line.is_empty() && !self.has_begun && !self.after_cr
    }

    fn field<'a>(&mut self, line: &'a [u8]) -> Field<'a> {
        if line.is_empty() {
            return Field::End;
        }
        let colon = memchr(b':', line).unwrap_or(line.len());
        let (field, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let found = match field {
            b"data" => Field::Data(value.strip_prefix(b" ").unwrap_or(value)),
            b"event" => Field::Name,
            _ => return Field::Other,
        };
        self.has_begun = true;
        found
    }

    /// Nothing of a comment is kept: it may be endless.
    fn keep_line(&mut self, bytes: &[u8]) {
        if self.line.first() != Some(&COMMENT) {
            self.line.extend_from_slice(bytes);
        }
    }

    fn keep_data(&mut self, at_hand: Option<&[u8]>, value: &[u8]) {
        if self.is_dropped {
            return;
        }
        self.data.extend_from_slice(at_hand.unwrap_or_default());
        if std::mem::replace(&mut self.has_data, true) {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
    }

    fn end(&mut self, at_hand: Option<&[u8]>, on_data: &mut impl FnMut(&str)) -> Result<(), ClaudeError> {
        self.has_begun = false;
        let (has_data, is_dropped) = (std::mem::take(&mut self.has_data), std::mem::take(&mut self.is_dropped));
        let said = match std::str::from_utf8(at_hand.unwrap_or(&self.data)) {
            _ if !has_data || is_dropped => Ok(()),
            Ok(data) => {
                on_data(data);
                Ok(())
            }
            Err(_) => Err(ClaudeError::protocol("an event is not UTF-8")),
        };
        self.data.clear();
        said
    }

    /// Drops an event that has grown too large, to its end.
    fn bound(&mut self) -> Result<(), ClaudeError> {
        if self.line.len() + self.data.len() <= EVENT_MAX_BYTES {
            return Ok(());
        }
        self.data = Vec::new();
        self.line = if self.line.is_empty() { Vec::new() } else { vec![COMMENT] };
        self.is_dropped = true;
        Err(ClaudeError::protocol("an event is too large"))
    }
}

#[cfg(test)]
#[path = "sse_tests.rs"]
mod tests;
