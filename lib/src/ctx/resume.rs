//! A running answer once more: from its beginning, then live, in whatever instance the caller comes to.

use std::time::{Duration, Instant};

use super::{Ctx, client_wire::mark_as_ui_stream, price::CALL_MAX_MS, recording::LOOK_EVERY};
use crate::{
    Code, Error,
    auth::Caller,
    books::unavailable_now,
    chat::UiStream,
    clock,
    config::plans::{HangUp, PlanId},
    http::{Response, StreamSender, stream},
    ids::CallId,
    recording::{Glimpse, RecordingError, Recordings, Stage},
    store::RunningAnswer,
};

/// Calls that began longer ago are not looked at. Far more than any call may run, for clocks differ.
const LOOK_BACK_MS: i64 = 7_200_000;
/// How often the recording is read.
const READ_EVERY: Duration = Duration::from_millis(250);
/// A recorder that is there gives its first sign by then: it looks every second.
const FIRST_SIGN_MAX: Duration = LOOK_EVERY.saturating_mul(4);
/// A recorder that gave no sign for so long is dead. It gives one every two seconds.
const SIGN_MAX: Duration = Duration::from_secs(10);
/// A client that takes nothing for so long is treated as gone.
const CLIENT_STALL_MAX: Duration = Duration::from_secs(20);

impl Ctx {
    /// The stream of the answer that is running in a conversation of the caller's: all that its first client was sent,
    /// then what comes, to the end. None where no such answer is running, or where it cannot be followed: one that is
    /// given as JSON, one that ends with its client, one whose process is dead. Whether there is such a conversation
    /// cannot be told from it.
    ///
    /// # Errors
    /// `session_revoked`, `store_unavailable`; `too_many_in_flight` where this answer has been asked for too often;
    /// `limiter_unavailable` where Redis does not answer.
    pub async fn resume(&self, caller: &Caller, conversation_id: &str) -> Result<Option<Response>, Error> {
        // No conversation has such an id, and Postgres takes no NUL.
        if conversation_id.is_empty() || conversation_id.chars().any(char::is_control) {
            return Ok(None);
        }
        let store = self.store_of(caller).await?;
        let since_ms = clock::shared_now_ms().saturating_sub(LOOK_BACK_MS);
        let running = store.running_answer(caller.id.as_str(), conversation_id, since_ms);
        let Some(answer) = self.time("store", running).await?.filter(goes_on_alone) else { return Ok(None) };
        let recordings = self.recordings()?;
        if !self.time("limit", recordings.want(&answer.call_id)).await.map_err(unreadable)? {
            let detail = "This answer has been asked for too often. Load the conversation when it has ended.";
            return Err(Error::new(Code::TooManyInFlight, detail).retry_after_s(30));
        }
        let mut reader = Reader::new(recordings, answer.call_id);
        let Some(first) = self.time("recording", reader.first_sign()).await.map_err(unreadable)? else {
            return Ok(None);
        };
        let (sender, body) = stream();
        self.after(reader.follow(first, sender));
        let mut response = Response::new(body);
        mark_as_ui_stream(response.headers_mut());
        Ok(Some(response))
    }
}

fn goes_on_alone(answer: &RunningAnswer) -> bool {
    PlanId::parse(&answer.plan).is_some_and(|plan| plan.plan().hang_up() == HangUp::Finish)
}

fn unreadable(error: RecordingError) -> Error {
    unavailable_now().log(error)
}

struct Reader {
    recordings: &'static Recordings,
    call_id: CallId,
    /// What has been read, in bytes.
    from: usize,
    beat: u64,
    heard: Instant,
}

impl Reader {
    fn new(recordings: &'static Recordings, call_id: CallId) -> Self {
        Self { recordings, call_id, from: 0, beat: 0, heard: Instant::now() }
    }

    /// Waits until there is a recording. None where nobody records, or nothing was to be recorded.
    async fn first_sign(&mut self) -> Result<Option<Glimpse>, RecordingError> {
        loop {
            match self.read().await {
                Ok(Some(glimpse)) if glimpse.stage != Stage::Live && glimpse.length == 0 => return Ok(None),
                Ok(Some(glimpse)) => return Ok(Some(glimpse)),
                unread if self.heard.elapsed() >= FIRST_SIGN_MAX => return unread,
                Ok(None) | Err(_) => tokio::time::sleep(READ_EVERY).await,
            }
        }
    }

    /// Passes on what is there and what comes. Where nothing more can come and the answer is not whole, its client is
    /// told so.
    async fn follow(mut self, first: Glimpse, sender: StreamSender) {
        let until = Instant::now() + Duration::from_millis(CALL_MAX_MS);
        let mut found = Some(first);
        loop {
            let is_behind = match found {
                Some(glimpse) => {
                    let (length, stage) = (glimpse.length, glimpse.stage);
                    let has_more = !glimpse.bytes.is_empty();
                    if has_more && sender.send_timeout(glimpse.bytes.into(), CLIENT_STALL_MAX).await.is_err() {
                        return;
                    }
                    match stage {
                        Stage::Over if self.from >= length => return,
                        Stage::Broken if self.from >= length => break,
                        _ => has_more && self.from < length,
                    }
                }
                None => false,
            };
            if sender.is_closed() {
                return;
            }
            if !is_behind {
                tokio::time::sleep(READ_EVERY).await;
            }
            // What cannot be read now can perhaps be read the next time.
            found = self.read().await.unwrap_or_default();
            if self.heard.elapsed() >= SIGN_MAX || Instant::now() >= until {
                break;
            }
        }
        let text = "This answer cannot be followed any more. Load the conversation again.";
        let _ = sender.send_timeout(UiStream::default().error(text, None).into(), CLIENT_STALL_MAX).await;
    }

    async fn read(&mut self) -> Result<Option<Glimpse>, RecordingError> {
        let found = self.recordings.read(&self.call_id, self.from).await?;
        if let Some(glimpse) = &found {
            if glimpse.beat != self.beat {
                self.beat = glimpse.beat;
                self.heard = Instant::now();
            }
            self.from += glimpse.bytes.len();
        }
        Ok(found)
    }
}
