use super::*;

#[cfg(sqlite)]
use crate::{recording::Glimpse, sqlite::Sqlite};

fn recorded(text: &str) -> (Recording, Arc<Tape>) {
    let tape = Arc::<Tape>::default();
    let recording = Recording(Some(tape.clone()));
    recording.push(&Bytes::copy_from_slice(text.as_bytes()));
    (recording, tape)
}

#[test]
fn a_stream_without_its_end_is_broken_and_one_with_it_is_whole() {
    let (recording, tape) = recorded("data: 1\n\n");
    assert_eq!(tape.after(0), ("data: 1\n\n".to_owned(), Stage::Live));
    assert_eq!(tape.after(9), (String::new(), Stage::Live));
    drop(recording);
    assert_eq!(tape.after(9), (String::new(), Stage::Broken));
    let (recording, tape) = recorded("data: 1\n\ndata: [DONE]\n\n");
    drop(recording);
    assert_eq!(tape.after(9), ("data: [DONE]\n\n".to_owned(), Stage::Over));
}

#[test]
fn a_piece_ends_between_characters_and_only_the_last_one_ends_the_answer() {
    let text = format!("{}{STREAM_END}", "é".repeat(PIECE_BYTES_MAX));
    let (recording, tape) = recorded(&format!("x{text}"));
    drop(recording);
    let (mut written, mut whole, mut stages) = (0, String::new(), Vec::new());
    while written < text.len() + 1 {
        let (piece, stage) = tape.after(written);
        assert!(!piece.is_empty() && piece.len() <= PIECE_BYTES_MAX);
        written += piece.len();
        whole.push_str(&piece);
        stages.push(stage);
    }
    assert_eq!(whole, format!("x{text}"));
    assert_eq!(stages, [Stage::Live, Stage::Live, Stage::Over]);
}

#[test]
fn an_answer_that_is_too_long_is_torn_not_kept() {
    let (recording, tape) = recorded("data: 1\n\n");
    recording.push(&vec![b'x'; TAPE_BYTES_MAX].into());
    recording.push(&Bytes::from_static(STREAM_END.as_bytes()));
    drop(recording);
    assert_eq!(tape.after(0), ("data: 1\n\n".to_owned(), Stage::Broken));
}

#[cfg(sqlite)]
fn recordings() -> &'static Recordings {
    let path = std::env::temp_dir().join(crate::ids::new_id()).join("recordings.sqlite");
    Box::leak(Box::new(Recordings::sqlite(Sqlite::open(&path).unwrap())))
}

#[cfg(sqlite)]
async fn read(recordings: &Recordings, call_id: &CallId) -> Glimpse {
    recordings.read(call_id, 0).await.unwrap().unwrap()
}

#[cfg(sqlite)]
#[tokio::test]
async fn nothing_is_written_of_an_answer_that_nobody_wants() {
    let (recordings, call_id) = (recordings(), CallId::new());
    let (recording, tape) = recorded("data: 1\n\n");
    drop(recording);
    Recorder::new(tape, recordings, call_id.clone()).run().await.unwrap();
    assert_eq!(recordings.read(&call_id, 0).await.unwrap(), None);
}

#[cfg(sqlite)]
#[tokio::test]
async fn what_was_lost_is_written_again_from_the_beginning() {
    let (recordings, call_id) = (recordings(), CallId::new());
    let (recording, tape) = recorded("data: 1\n\n");
    let mut recorder = Recorder::new(tape, recordings, call_id.clone());
    // As if the store had been emptied after the first piece.
    (recorder.written, recorder.beat) = (9, 1);
    recording.push(&Bytes::from_static(STREAM_END.as_bytes()));
    drop(recording);
    assert!(matches!(recorder.write().await, Ok(Written::Lost)));
    assert_eq!(recordings.read(&call_id, 0).await.unwrap(), None);
    assert!(matches!(recorder.write().await, Ok(Written::All)));
    let found = read(recordings, &call_id).await;
    assert_eq!(String::from_utf8(found.bytes).unwrap(), format!("data: 1\n\n{STREAM_END}"));
    assert_eq!((found.stage, found.length), (Stage::Over, 9 + STREAM_END.len()));
}
