//! Recorded answers of Claude, read by Anthropic's SDK and by ours: both must make the same message of the same bytes.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command};

use proptest::{prelude::*, test_runner::TestRunner};
use purser::claude::Observer;
use purser_tests::packages::{installed, project_dir, succeeds};
use serde_json::Value;

fn folder() -> PathBuf {
    project_dir().join("tests/recorded")
}

fn recordings() -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    files.map(|file| (file.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&file).unwrap())).collect()
}

fn observe<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Observer {
    let mut observer = Observer::default();
    for chunk in chunks {
        observer.push(chunk, |_| ()).unwrap();
    }
    observer
}

/// The SDK's helpers put fields of their own into a message.
fn bare(mut block: Value) -> Value {
    if let Some(fields) = block.as_object_mut() {
        fields.retain(|name, value| !name.starts_with("parsed") && !value.is_null());
    }
    block
}

#[test]
fn the_official_sdk_and_our_reader_make_the_same_message_of_every_recording() {
    let mut node = Command::new("node");
    node.arg("accumulate.mjs").current_dir(installed("node")).env("RECORDED", folder());
    let official: Value = serde_json::from_str(&succeeds(&mut node)).unwrap();
    let recordings = recordings();
    assert!(recordings.len() > 10);
    for (name, bytes) in recordings {
        let ours = observe(std::iter::once(&bytes[..]));
        let theirs = &official[&name];
        let content = |list: &[Value]| list.iter().cloned().map(bare).collect::<Vec<_>>();
        // Of a tool's input that broke off the SDK shows what it can guess; ours waits for the end.
        if name != "cut-in-a-tool.sse" {
            assert_eq!(content(ours.content()), content(theirs["content"].as_array().unwrap()), "{name}");
        }
        assert_eq!(ours.stop_reason(), theirs["stop_reason"].as_str(), "{name}");
        assert_eq!(ours.model(), theirs["model"].as_str(), "{name}");
        let (usage, _) = ours.settled_usage();
        let told = |field: &str| theirs["usage"][field].as_u64().unwrap_or(0);
        assert_eq!(usage.input_tokens, told("input_tokens"), "{name}");
        assert_eq!(usage.cache_read_tokens, told("cache_read_input_tokens"), "{name}");
        let written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens;
        assert_eq!(written, told("cache_creation_input_tokens"), "{name}");
        assert_eq!(
            usage.cache_write_1h_tokens, theirs["usage"]["cache_creation"]["ephemeral_1h_input_tokens"],
            "{name}"
        );
        let searches = theirs["usage"]["server_tool_use"]["web_search_requests"].as_u64().unwrap_or(0);
        assert_eq!(usage.web_search_requests, searches, "{name}");
        // An answer that broke off is charged for what came, which the SDK does not count.
        assert!(usage.output_tokens >= told("output_tokens"), "{name}");
        if theirs["stop_reason"].is_string() {
            assert_eq!(usage.output_tokens, told("output_tokens"), "{name}");
        }
    }
}

#[test]
fn no_split_of_the_bytes_changes_what_is_read() {
    for (name, bytes) in recordings() {
        let whole = observe(std::iter::once(&bytes[..]));
        let each = observe(bytes.chunks(1));
        assert_eq!((each.content(), each.settled_usage()), (whole.content(), whole.settled_usage()), "{name}");
        let sizes = prop::collection::vec(1..60_usize, 1..200);
        TestRunner::deterministic()
            .run(&sizes, |sizes| {
                let mut rest = &bytes[..];
                let mut sizes = sizes.iter().cycle();
                let chunks = std::iter::from_fn(|| {
                    let (chunk, after) = rest.split_at(rest.len().min(*sizes.next()?));
                    rest = after;
                    (!chunk.is_empty()).then_some(chunk)
                });
                let split = observe(chunks);
                prop_assert_eq!(split.content(), whole.content());
                prop_assert_eq!(split.settled_usage(), whole.settled_usage());
                prop_assert_eq!(split.outcome(), whole.outcome());
                Ok(())
            })
            .unwrap();
    }
}

/// Cut after any byte, no answer is charged below what its usage had told by then.
#[test]
fn wherever_a_recording_is_cut_nothing_that_was_seen_is_lost() {
    for (name, bytes) in recordings() {
        let mut least = 0;
        for end in 0..=bytes.len() {
            let observer = observe(std::iter::once(&bytes[..end]));
            let (usage, _) = observer.settled_usage();
            assert!(usage.input_tokens >= least, "{name} at {end}");
            least = usage.input_tokens;
            assert_eq!(observer.has_started(), usage.prompt_tokens() > 0, "{name} at {end}");
        }
    }
}
