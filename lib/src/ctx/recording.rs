//! The recorder of a running answer. It costs the answer nothing but memory until somebody wants to follow it from
//! another instance; from then on everything is written down, from the beginning to the end.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{ClientWire, Ctx, call::OpenCall};
use crate::{
    Error,
    chat::STREAM_END,
    config::plans::HangUp,
    ids::CallId,
    recording::{Piece, RecordingError, Recordings, Stage},
};

/// How often a running answer looks whether somebody wants it. An answer that is over sooner never looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often what has come is written, while somebody wants it.
const WRITE_EVERY: Duration = Duration::from_millis(200);
/// How often a silent answer gives a sign of life.
const BEAT_EVERY: Duration = Duration::from_secs(2);
/// Most bytes of one piece.
const PIECE_BYTES_MAX: usize = 128 * 1_024;
/// Most bytes of an answer. A longer one cannot be followed.
const TAPE_BYTES_MAX: usize = 8 * 1_024 * 1_024;
/// Failures in a row after which a recorder gives up: no reader waits for longer.
const FAILURES_MAX: u32 = 40;

/// What is pushed is recorded; without a recorder, it is not. The recording ends when this is dropped.
#[derive(Default)]
pub(super) struct Recording(Option<Arc<Tape>>);

#[derive(Default)]
struct Tape {
    inner: Mutex<Inner>,
    over: Notify,
}

#[derive(Default)]
struct Inner {
    text: String,
    is_torn: bool,
    is_over: bool,
}

impl Ctx {
    /// Begins to record an answer that is streamed to a chat client and would go on without it.
    pub(super) fn record(&self, call: &OpenCall, hang_up: HangUp, wire: &ClientWire) -> Recording {
        let is_wanted = matches!(wire, ClientWire::Ui(_)) && hang_up == HangUp::Finish;
        let Some(recordings) = self.recordings().ok().filter(|_| is_wanted) else { return Recording::default() };
        let tape = Arc::<Tape>::default();
        let recorder = Recorder::new(tape.clone(), recordings, call.hold.call_id.clone());
        let ctx = self.clone();
        self.after(async move {
            if let Err(error) = recorder.run().await {
                ctx.warn("recording_failed", &Error::internal(error));
            }
        });
        Recording(Some(tape))
    }
}

impl Recording {
    /// Records what the client is sent. Never waits.
    pub(super) fn push(&self, bytes: &Bytes) {
        let Some(tape) = &self.0 else { return };
        let mut inner = tape.lock();
        match std::str::from_utf8(bytes) {
            Ok(text) if !inner.is_torn && inner.text.len() + text.len() <= TAPE_BYTES_MAX => inner.text.push_str(text),
            _ => inner.is_torn = true,
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if let Some(tape) = &self.0 {
            tape.lock().is_over = true;
            tape.over.notify_one();
        }
    }
}

impl Tape {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.lock().is_over
    }

    /// Returns when the answer is over, or after that time; of an answer that is over, after that time.
    async fn wait(&self, most: Duration) {
        if self.is_over() {
            tokio::time::sleep(most).await;
        } else {
            let _ = tokio::time::timeout(most, self.over.notified()).await;
        }
    }

    /// What comes after so many bytes, and whether more is to come after that.
    fn after(&self, written: usize) -> (String, Stage) {
        let inner = self.lock();
        let rest = inner.text.get(written..).unwrap_or_default();
        let piece = &rest[..rest.floor_char_boundary(PIECE_BYTES_MAX)];
        let stage = match () {
            () if !inner.is_over || piece.len() < rest.len() => Stage::Live,
            () if inner.text.ends_with(STREAM_END) => Stage::Over,
            () => Stage::Broken,
        };
        (piece.to_owned(), stage)
    }
}

struct Recorder {
    tape: Arc<Tape>,
    recordings: &'static Recordings,
    call_id: CallId,
    /// What is there for readers, in bytes.
    written: usize,
    beat: u64,
    told: Instant,
}

impl Recorder {
    fn new(tape: Arc<Tape>, recordings: &'static Recordings, call_id: CallId) -> Self {
        Self { tape, recordings, call_id, written: 0, beat: 0, told: Instant::now() }
    }

    async fn run(mut self) -> Result<(), RecordingError> {
        if !self.is_wanted_in_time().await {
            return Ok(());
        }
        let mut failures = 0;
        loop {
            match self.write().await {
                Ok(Written::All) => return Ok(()),
                Ok(Written::Some) => failures = 0,
                Ok(Written::Lost) => failures += 1,
                Err(error) if failures >= FAILURES_MAX => return Err(error),
                Err(_) => failures += 1,
            }
            if failures > 0 || !self.is_behind() {
                self.tape.wait(WRITE_EVERY).await;
            }
        }
    }

    /// Looks until the answer is over, the last time then: somebody may have come just before.
    async fn is_wanted_in_time(&self) -> bool {
        let begun = Instant::now();
        loop {
            self.tape.wait(LOOK_EVERY).await;
            let is_over = self.tape.is_over();
            if is_over && begun.elapsed() < LOOK_EVERY {
                return false;
            }
            // Without an answer nobody can read either.
            if self.recordings.is_wanted(&self.call_id).await.unwrap_or(false) {
                return true;
            }
            if is_over {
                return false;
            }
        }
    }

    /// Writes what has come, or gives a sign of life, if it is time for one.
    async fn write(&mut self) -> Result<Written, RecordingError> {
        let (text, stage) = self.tape.after(self.written);
        let is_first = self.beat == 0;
        if text.is_empty() && stage == Stage::Live && !is_first && self.told.elapsed() < BEAT_EVERY {
            return Ok(Written::Some);
        }
        self.beat += 1;
        let (at, end) = (self.written, self.written + text.len());
        let piece = Piece { call_id: self.call_id.clone(), at, text, stage, beat: self.beat };
        let length = self.recordings.write(&piece).await?;
        self.told = Instant::now();
        self.written = if length < end { 0 } else { end };
        Ok(match stage {
            _ if length < end => Written::Lost,
            Stage::Live => Written::Some,
            Stage::Over | Stage::Broken => Written::All,
        })
    }

    fn is_behind(&self) -> bool {
        self.tape.lock().text.len() >= self.written + PIECE_BYTES_MAX
    }
}

enum Written {
    /// Up to what had come.
    Some,
    /// To the end.
    All,
    /// What was written before is not there any more.
    Lost,
}

#[cfg(test)]
#[path = "recording_tests.rs"]
mod tests;
