//! Whoever collects faults besides the log. A route that collects none links nothing of it.

use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::alarms::Work;

/// Takes the fields of a loud log line and gives the work that sends them away, if they are to be sent.
pub(crate) type Collector = fn(&Map<String, Value>) -> Option<Work>;

static COLLECTOR: OnceLock<Collector> = OnceLock::new();

/// From now on loud lines are collected as well.
pub(crate) fn collect_with(collector: Collector) {
    // The first stays: there is one.
    let _ = COLLECTOR.set(collector);
}

/// Hands a loud line to the collector, if there is one.
pub(crate) fn report(line: &Map<String, Value>) -> Option<Work> {
    COLLECTOR.get().and_then(|collect| collect(line))
}
