//! Claude's answer on its way to the client, in a task that outlives the client.

mod answer;

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::{sync::oneshot, time::timeout};

use super::{
    ClientWire, Ctx,
    call::OpenCall,
    elastic::Elastic,
    pace::{Client, Next, Pace},
    recording::Recording,
    settle::Course,
};
use crate::{
    Error,
    chat::HEARTBEAT,
    claude::{ClaudeError, Observer, Outcome, UpstreamCall, UpstreamResponse},
    clock,
    config::plans::HangUp,
    http::{Body, Response, stream},
    sabotage::Protection,
};

/// A call that ends with its client is closed when nothing comes for so long,
const STOP_SILENCE: Duration = Duration::from_millis(50);
/// and after so long whatever comes.
const STOP_MAX: Duration = Duration::from_millis(250);

struct Relay {
    ctx: Ctx,
    call: OpenCall,
    hang_up: HangUp,
    wire: ClientWire,
    observer: Observer,
    course: Course,
    recording: Recording,
}

impl Ctx {
    /// Makes a call and answers with what Claude says. The call runs to its end and is settled whether the client
    /// stays or not.
    ///
    /// # Errors
    /// What Claude's API or the way to it answered instead of a message.
    pub async fn call_claude(
        &self,
        mut call: OpenCall,
        upstream: UpstreamCall,
        hang_up: HangUp,
        wire: ClientWire,
    ) -> Result<Response, Error> {
        let (head, answered) = oneshot::channel();
        call.made();
        let observer = match &wire {
            ClientWire::Ui(_) | ClientWire::Json => Observer::new(&upstream.asked),
            ClientWire::Bytes { .. } => Observer::new(&upstream.asked).without_content(),
        };
        let (course, recording) = (Course::default(), self.record(&call, hang_up, &wire));
        let relay = Relay { ctx: self.clone(), call, hang_up, wire, observer, course, recording };
        self.after(relay.run(upstream, head));
        answered.await.unwrap_or_else(|_| Err(Error::internal("the relay ended without an answer")))
    }
}

type Head = oneshot::Sender<Result<Response, Error>>;

impl Relay {
    /// Passes the answer on, then settles, whatever happened on the way.
    async fn run(mut self, upstream: UpstreamCall, head: Head) {
        if AssertUnwindSafe(self.pass(upstream, head)).catch_unwind().await.is_err() {
            self.ctx.warn("panic", &Error::internal("the relay panicked"));
            self.course.error.get_or_insert(ClaudeError::protocol("the relay panicked"));
        }
        if self.course.is_client_gone && Protection::SettleAfterHangup.is_off() {
            return;
        }
        let account = self.account();
        self.ctx.settle(&self.call, &account, &self.observer, &self.course).await;
    }

    async fn pass(&mut self, upstream: UpstreamCall, head: Head) {
        let response = match self.ctx.claude() {
            Ok(claude) => self.ctx.time("model", claude.send(&upstream)).await,
            Err(_) => Err(ClaudeError::Unreachable("no key".to_owned())),
        };
        match response {
            Err(error) => {
                self.course.error = Some(error.clone());
                if let ClaudeError::Refused { request_id, .. } = &error {
                    self.course.upstream_request_id.clone_from(request_id);
                }
                let _ = head.send(Err(error.into()));
            }
            Ok(response) => {
                self.course.upstream_request_id = response.request_id();
                match self.wire {
                    ClientWire::Ui(_) | ClientWire::Bytes { is_stream: true } => self.pass_stream(response, head).await,
                    ClientWire::Json => self.pass_json(response, head).await,
                    ClientWire::Bytes { is_stream: false } => self.pass_whole(response, head).await,
                }
            }
        }
    }

    /// What has come together goes out together, in the moment in which it came.
    async fn pass_stream(&mut self, mut upstream: UpstreamResponse, head: Head) {
        let (sender, body) = stream();
        let response = self.stream_head(&upstream, body);
        let mut client = Client::new(sender, std::mem::take(&mut self.recording));
        if head.send(Ok(response)).is_err() {
            client.leave();
        }
        client.send(self.opening()).await;
        let (mut pace, elastic) = (Pace::of(self.hang_up), Elastic::of(&self.ctx, &self.call));
        loop {
            let next = tokio::select! {
                biased;
                () = client.gone(), if self.may_stop() => {
                    self.take_what_was_sent(&mut pace, &mut upstream).await;
                    break;
                }
                next = pace.next(&mut upstream) => next,
            };
            match next {
                Ok(Next::Chunk(bytes)) => {
                    self.course.first_byte_ms.get_or_insert_with(clock::shared_now_ms);
                    let out = self.translate(bytes);
                    client.send(out).await;
                    if let Some(events) = self.brake(elastic.as_ref()).await {
                        client.send(self.translate(events)).await;
                        self.observer.is_counted_only();
                        break;
                    }
                }
                Ok(Next::Silence) if self.may_beat() => client.send(Bytes::from_static(HEARTBEAT)).await,
                Ok(Next::Silence) => {}
                Ok(Next::End) => break,
                Err(error) => {
                    self.course.error = Some(error);
                    break;
                }
            }
        }
        // Closed before anything is written down: Claude stops working for a client that has left.
        drop(upstream);
        self.course.is_client_gone = client.is_gone();
        let closing = self.closing();
        client.send(closing).await;
    }

    async fn pass_json(&mut self, mut upstream: UpstreamResponse, head: Head) {
        let (mut pace, elastic) = (Pace::of(self.hang_up), Elastic::of(&self.ctx, &self.call));
        loop {
            match pace.next(&mut upstream).await {
                Ok(Next::Chunk(bytes)) => {
                    self.course.first_byte_ms.get_or_insert_with(clock::shared_now_ms);
                    drop(self.translate(bytes));
                    if let Some(events) = self.brake(elastic.as_ref()).await {
                        drop(self.translate(events));
                        self.observer.is_counted_only();
                        break;
                    }
                }
                Ok(Next::Silence) => {}
                Ok(Next::End) => break,
                Err(error) => {
                    self.course.error = Some(error);
                    break;
                }
            }
        }
        let answer = match self.observer.outcome() {
            Outcome::Completed | Outcome::Refused => self.json_reply(),
            Outcome::Failed | Outcome::Cut => Err(self.failure()),
        };
        self.course.is_client_gone = head.send(answer).is_err();
    }

    async fn pass_whole(&mut self, mut upstream: UpstreamResponse, head: Head) {
        let mut whole = Vec::new();
        let mut pace = Pace::of(self.hang_up);
        let read = loop {
            match pace.next(&mut upstream).await {
                Ok(Next::Chunk(bytes)) => whole.extend_from_slice(&bytes),
                Ok(Next::Silence) => {}
                Ok(Next::End) => break self.observer.whole(&whole),
                Err(error) => break Err(error),
            }
        };
        self.course.first_byte_ms = Some(clock::shared_now_ms());
        let answer = match read {
            Ok(()) => {
                let mut response = Response::new(Body::from(whole));
                self.pass_headers(&upstream, &mut response);
                Ok(response)
            }
            Err(error) => {
                self.course.error = Some(error.clone());
                Err(error.into())
            }
        };
        self.course.is_client_gone = head.send(answer).is_err();
    }

    /// The events that end the answer politely, where its hold is used up and no more is to be had.
    async fn brake(&self, elastic: Option<&Elastic>) -> Option<Bytes> {
        let may_go_on = elastic?.reach(self.observer.output_tokens_bound()).await;
        if may_go_on || !self.observer.may_be_ended() {
            return None;
        }
        self.ctx.note("braked", true);
        Some(self.observer.end_events().into())
    }

    /// Whether the client may be sent a comment, which no reader of events sees. Claude's own bytes are left alone, unless
    /// the call is to end with its client.
    fn may_beat(&self) -> bool {
        match self.wire {
            ClientWire::Ui(_) => true,
            ClientWire::Bytes { .. } => self.may_stop() && self.observer.may_be_ended(),
            ClientWire::Json => false,
        }
    }

    /// Whether the call may end with its client: not before Claude has told what its prompt costs, which is at once.
    fn may_stop(&self) -> bool {
        self.hang_up == HangUp::Stop && self.observer.has_started()
    }

    /// Reads what Claude has sent already: it is on the bill, so it has to be in the count.
    async fn take_what_was_sent(&mut self, pace: &mut Pace, upstream: &mut UpstreamResponse) {
        let stopped = Instant::now();
        while stopped.elapsed() < STOP_MAX
            && let Ok(Ok(Next::Chunk(bytes))) = timeout(STOP_SILENCE, pace.next(upstream)).await
        {
            drop(self.translate(bytes));
        }
    }

    /// Reads the bytes and gives what the client gets for them.
    fn translate(&mut self, bytes: Bytes) -> Bytes {
        let mut out = Vec::new();
        let read = match &mut self.wire {
            ClientWire::Ui(ui) => {
                out.reserve(bytes.len());
                self.observer.push(&bytes, |event| ui.event(event, &mut out))
            }
            ClientWire::Json | ClientWire::Bytes { .. } => self.observer.push(&bytes, |_| ()),
        };
        if let Err(error) = read {
            self.course.error = Some(error);
        }
        if matches!(self.wire, ClientWire::Bytes { .. }) { bytes } else { out.into() }
    }
}
