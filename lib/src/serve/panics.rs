//! What is told of a panic: where it was. Its text may hold what a caller wrote, such as a prompt that was cut in the
//! middle of a character.

use std::{cell::Cell, io::Write as _, panic};

use serde_json::json;

use crate::{clock, observe::alarms};

thread_local! {
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// From now on panics are told without their text. A developer's build also prints it.
pub(super) fn watch() {
    let told = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let line = json!({ "event": "panic", "at": place, "at_ms": clock::now_ms(), "version": crate::version() });
        alarms::raise(alarms::Alarm { line, work: None });
        if cfg!(debug_assertions) {
            told(info);
        } else {
            let _ = writeln!(std::io::stderr(), "purser panicked at {place}");
        }
        // A thread that ends has nothing left to keep it in, and needs nothing.
        let _ = PLACE.try_with(|last| last.set(Some(place)));
    }));
}

/// Where the last panic of this thread was.
pub(super) fn place() -> String {
    PLACE.take().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_tells_where_it_was_and_not_what_it_says() {
        watch();
        let prompt = "a prompt of somebody";
        assert!(panic::catch_unwind(|| panic!("cannot cut {prompt}")).is_err());
        assert!(place().contains("panics.rs:"));
        assert_eq!(place(), "", "told once");
        let lines: String = alarms::take().iter().map(|alarm| alarm.line.to_string()).collect();
        assert!(lines.contains("panics.rs:") && !lines.contains(prompt), "{lines}");
    }
}
