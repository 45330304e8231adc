use proptest::prelude::*;

use super::*;

/// The events of the chunks, and how many errors there were.
fn split(chunks: &[&[u8]]) -> (Vec<String>, usize) {
    let mut splitter = EventSplitter::default();
    let (mut events, mut errors) = (Vec::new(), 0);
    for chunk in chunks {
        errors += usize::from(splitter.push(chunk, |data| events.push(data.to_owned())).is_err());
    }
    (events, errors)
}

/// The standard, word for word: lines first, then fields, then events. None where an event is not UTF-8.
fn by_the_standard(bytes: &[u8]) -> Vec<Option<String>> {
    let (mut events, mut data, mut line) = (Vec::new(), None::<Vec<u8>>, Vec::new());
    let mut rest = bytes.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\n' && byte != b'\r' {
            line.push(byte);
            continue;
        }
        if byte == b'\r' {
            rest.next_if_eq(&b'\n');
        }
        let whole = std::mem::take(&mut line);
        if whole.is_empty() {
            events.extend(data.take().map(|data| String::from_utf8(data).ok()));
            continue;
        }
        let mut parts = whole.splitn(2, |byte| *byte == b':');
        let (field, value) = (parts.next().unwrap(), parts.next().unwrap_or_default());
        if field == b"data" {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            data = Some(data.map_or_else(|| value.to_vec(), |before| [&before, &b"\n"[..], value].concat()));
        }
    }
    events
}

fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|at| at % (bytes.len() + 1)).chain([0, bytes.len()]).collect();
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

#[test]
fn comments_line_ends_and_several_data_lines_are_read_as_the_standard_says() {
    let text = b": hello\r\nevent: a\r\ndata: 1\r\ndata:2\r\n\r\ndata\n\nid: 7\n\nevent: b\rdata: x\r\rdata: cut";
    assert_eq!(split(&[text]), (vec!["1\n2".to_owned(), String::new(), "x".to_owned()], 0));
}

#[test]
fn an_endless_line_is_dropped_to_its_end_and_what_follows_is_read() {
    for begin in ["data: ", "event: ", "", "data: 1\ndata: "] {
        let mut splitter = EventSplitter::default();
        splitter.push(begin.as_bytes(), |_| ()).unwrap();
        let chunk = vec![b'x'; 1 << 20];
        let errors = (0..40).filter(|_| splitter.push(&chunk, |_| panic!("nothing is whole")).is_err()).count();
        assert_eq!(errors, 1, "{begin}");
        assert!(splitter.line.capacity() + splitter.data.capacity() <= 2 * EVENT_MAX_BYTES);
        assert!(!splitter.is_between_events());
        let mut told = Vec::new();
        splitter.push(b"\ndata: more of it\n\ndata: next\n\n", |data| told.push(data.to_owned())).unwrap();
        assert_eq!(told, ["next"], "{begin}");
    }
}

#[test]
fn an_event_of_endless_lines_is_dropped() {
    let mut splitter = EventSplitter::default();
    let chunk = format!("data: {}\n", "x".repeat(1 << 16)).repeat(16);
    let errors = (0..40).filter(|_| splitter.push(chunk.as_bytes(), |_| panic!("nothing is whole")).is_err()).count();
    assert_eq!(errors, 1);
    assert!(splitter.data.capacity() <= 2 * EVENT_MAX_BYTES);
    let mut told = 0;
    splitter.push(b"\ndata: next\n\n", |_| told += 1).unwrap();
    assert_eq!(told, 1);
}

#[test]
fn an_endless_comment_is_not_kept() {
    let mut splitter = EventSplitter::default();
    splitter.push(b": ", |_| ()).unwrap();
    for _ in 0..40 {
        splitter.push(&vec![b'x'; 1 << 20], |_| ()).unwrap();
    }
    assert!(splitter.line.capacity() < 64);
}

#[test]
fn an_event_that_is_not_utf8_hides_none_after_it() {
    let (events, errors) = split(&[b"data: a\n\ndata: \xff\n\ndata: b\n\n"]);
    assert_eq!((events, errors), (vec!["a".to_owned(), "b".to_owned()], 1));
}

fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let end = prop_oneof![Just("\n"), Just("\r\n"), Just("\r")];
    let line = prop_oneof![
        4 => "data:? ?[a-z\u{e4}-\u{fc}\u{4e16}: ]{0,6}".prop_map(String::into_bytes),
        2 => "(event|id|retry|date|data |:)(: ?[a-z]{0,4})?".prop_map(String::into_bytes),
        3 => Just(Vec::new()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    (line, end).prop_map(|(line, end)| [&line, end.as_bytes()].concat())
}

proptest! {
    #[test]
    fn any_bytes_in_any_split_are_read_as_the_standard_says(
        lines in prop::collection::vec(any_line(), 0..40),
        tail in prop::collection::vec(any::<u8>(), 0..6),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let bytes = [lines.concat(), tail].concat();
        let standard: Vec<_> = by_the_standard(&bytes).into_iter().flatten().collect();
        prop_assert_eq!(split(&[&bytes]).0, &standard[..]);
        prop_assert_eq!(split(&cut(&bytes, &cuts)).0, &standard[..]);
        let each: Vec<_> = bytes.chunks(1).collect();
        prop_assert_eq!(split(&each).0, standard);
    }

    #[test]
    fn between_events_is_where_something_of_ours_may_stand(
        lines in prop::collection::vec(any_line(), 0..30),
        cuts in prop::collection::vec(any::<usize>(), 0..8),
    ) {
        let bytes = lines.concat();
        let chunks = cut(&bytes, &cuts);
        let mut splitter = EventSplitter::default();
        let mut end = 0;
        for chunk in chunks {
            let _ = splitter.push(chunk, |_| ());
            end += chunk.len();
            if splitter.is_between_events() {
                let ours = b"data: ours\n\n";
                let with: Vec<_> = by_the_standard(&[&bytes[..end], ours].concat());
                prop_assert_eq!(with.len(), by_the_standard(&bytes[..end]).len() + 1);
                prop_assert_eq!(with.last().unwrap().as_deref(), Some("ours"));
            }
        }
    }
}
