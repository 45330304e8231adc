//! Server-sent events out of bytes that arrive in any split (WHATWG HTML, 9.2.6).

use super::ClaudeError;

/// The largest event: far above any that Claude sends, far below what would hurt.
const EVENT_MAX_BYTES: usize = 8 * 1024 * 1024;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The `event:` field; empty if there was none.
    pub name: String,
    /// The `data:` lines, joined by line feeds.
    pub data: String,
}

/// Cuts a byte stream into events. Unknown fields and comments are passed over, as the standard says.
#[derive(Debug, Default)]
pub struct EventSplitter {
    line: Vec<u8>,
    name: String,
    data: Vec<u8>,
    has_data: bool,
    after_cr: bool,
}

impl EventSplitter {
    /// Takes the next bytes and hands every event that is complete to `on_event`.
    ///
    /// # Errors
    /// A protocol error where an event grows beyond the bound or is not UTF-8.
    pub fn push(&mut self, mut bytes: &[u8], mut on_event: impl FnMut(Event)) -> Result<(), ClaudeError> {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_cr) && bytes.first() == Some(&b'\n') {
                bytes = bytes.get(1..).unwrap_or_default();
                continue;
            }
            let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.line.extend_from_slice(bytes);
                break;
            };
            let (line, rest) = bytes.split_at(end);
            self.after_cr = rest.first() == Some(&b'\r');
            bytes = rest.get(1..).unwrap_or_default();
            if self.line.is_empty() {
                self.take_line(line, &mut on_event)?;
            } else {
                self.line.extend_from_slice(line);
                let whole = std::mem::take(&mut self.line);
                self.take_line(&whole, &mut on_event)?;
            }
        }
        if self.line.len() + self.data.len() > EVENT_MAX_BYTES {
            return Err(ClaudeError::protocol("an event is too large"));
        }
        Ok(())
    }

    /// Whether the bytes so far end where an event ends.
    pub fn is_between_events(&self) -> bool {
        self.line.is_empty() && self.name.is_empty() && !self.has_data && !self.after_cr
    }

    fn take_line(&mut self, line: &[u8], on_event: &mut impl FnMut(Event)) -> Result<(), ClaudeError> {
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            let data = std::mem::take(&mut self.data);
            if std::mem::take(&mut self.has_data) {
                let data = String::from_utf8(data).map_err(|_| ClaudeError::protocol("an event is not UTF-8"))?;
                on_event(Event { name, data });
            }
            return Ok(());
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (field, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => self.name = String::from_utf8_lossy(value).into_owned(),
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<Event> {
        let mut splitter = EventSplitter::default();
        let mut events = Vec::new();
        for chunk in chunks {
            splitter.push(chunk, |event| events.push(event)).unwrap();
        }
        events
    }

    #[test]
    fn comments_line_ends_and_several_data_lines_are_read_as_the_standard_says() {
        let text = b": hello\r\nevent: a\r\ndata: 1\r\ndata:2\r\n\r\ndata\n\nid: 7\n\nevent: b\rdata: x\r\rdata: cut";
        let events = split(&[text]);
        let pairs: Vec<_> = events.iter().map(|e| (e.name.as_str(), e.data.as_str())).collect();
        assert_eq!(pairs, [("a", "1\n2"), ("", ""), ("b", "x")]);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut splitter = EventSplitter::default();
        let chunk = vec![b'x'; 1 << 20];
        assert!((0..9).any(|_| splitter.push(&chunk, |_| ()).is_err()));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(bytes in "(event: [a-z]{1,4}(\n|\r\n|\r)|data: [ä-ü]{0,3}(\n|\r\n)|\n|\r\n|:x\n){0,30}", cuts in prop::collection::vec(0..400_usize, 0..20)) {
            let bytes = bytes.as_bytes();
            let whole = split(&[bytes]);
            let mut cuts: Vec<_> = cuts.into_iter().map(|at| at.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(split(&chunks), whole);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let _ = EventSplitter::default().push(&bytes, |_| ());
        }
    }
}
