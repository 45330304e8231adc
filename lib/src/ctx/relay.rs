//! Claude's answer on its way to the client, in a task that outlives the client.

use std::panic::AssertUnwindSafe;

use bytes::Bytes;
use futures_util::FutureExt as _;
use serde_json::json;
use tokio::sync::oneshot;

use super::{
    ClientWire, Ctx,
    call::OpenCall,
    client_wire::mark_as_ui_stream,
    pace::{Client, Pace},
    recording::Recording,
    settle::{Account, Course},
};
use crate::{
    Code, Error,
    chat::{ChatReply, Finish, HEARTBEAT, ReplyMessage, usage_json},
    claude::{ClaudeError, Next, Observer, Outcome, UpstreamCall, UpstreamResponse},
    clock,
    config::plans::HangUp,
    cost::format_usd,
    http::{self, Body, HeaderName, HeaderValue, Response, StatusCode, stream},
    sabotage::Protection,
};

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
        let observer = Observer::new(&upstream.asked);
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

    /// Every chunk goes out in the moment in which it came.
    async fn pass_stream(&mut self, mut upstream: UpstreamResponse, head: Head) {
        let (sender, body) = stream();
        let response = self.stream_head(&upstream, body);
        let mut client = Client::new(sender, std::mem::take(&mut self.recording));
        if head.send(Ok(response)).is_err() {
            client.leave();
        }
        client.send(self.opening()).await;
        let mut pace = Pace::default();
        loop {
            match pace.next(&mut upstream).await {
                Ok(Next::Chunk(bytes)) => {
                    self.course.first_byte_ms.get_or_insert_with(clock::now_ms);
                    let out = self.translate(bytes);
                    client.send(out).await;
                }
                Ok(Next::Silence) if matches!(self.wire, ClientWire::Ui(_)) => {
                    client.send(Bytes::from_static(HEARTBEAT)).await;
                }
                Ok(Next::Silence) => {}
                Ok(Next::End) => break,
                Err(error) => {
                    self.course.error = Some(error);
                    break;
                }
            }
            if client.is_gone() && self.hang_up == HangUp::Stop {
                break;
            }
        }
        // Closed before anything is written down: Claude stops working for a client that has left.
        drop(upstream);
        self.course.is_client_gone = client.is_gone();
        let closing = self.closing();
        client.send(closing).await;
    }

    async fn pass_json(&mut self, mut upstream: UpstreamResponse, head: Head) {
        let mut pace = Pace::default();
        loop {
            match pace.next(&mut upstream).await {
                Ok(Next::Chunk(bytes)) => {
                    self.course.first_byte_ms.get_or_insert_with(clock::now_ms);
                    drop(self.translate(bytes));
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
        let mut pace = Pace::default();
        let read = loop {
            match pace.next(&mut upstream).await {
                Ok(Next::Chunk(bytes)) => whole.extend_from_slice(&bytes),
                Ok(Next::Silence) => {}
                Ok(Next::End) => break self.observer.whole(&whole),
                Err(error) => break Err(error),
            }
        };
        self.course.first_byte_ms = Some(clock::now_ms());
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

    /// Reads the bytes and gives what the client gets for them.
    fn translate(&mut self, bytes: Bytes) -> Bytes {
        let mut out = Vec::new();
        let wire = &mut self.wire;
        let read = self.observer.push(&bytes, |event| {
            if let ClientWire::Ui(ui) = wire {
                ui.event(&event.data, &mut out);
            }
        });
        if let Err(error) = read {
            self.course.error = Some(error);
        }
        if matches!(self.wire, ClientWire::Bytes { .. }) { bytes } else { out.into() }
    }

    fn stream_head(&self, upstream: &UpstreamResponse, body: Body) -> Response {
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        if let ClientWire::Ui(_) = &self.wire {
            mark_as_ui_stream(headers);
        } else {
            // Proxies that buffer would turn the stream into one late piece.
            headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
            self.pass_headers(upstream, &mut response);
        }
        response
    }

    /// The request id is ours, so that a caller's question finds our log line; Claude's stands beside it.
    fn pass_headers(&self, upstream: &UpstreamResponse, response: &mut Response) {
        let kept = [
            ("content-type", upstream.header("content-type")),
            ("request-id", Some(self.ctx.request_id().to_owned())),
            ("x-upstream-request-id", upstream.request_id()),
        ];
        for (name, value) in kept {
            if let Some(Ok(value)) = value.map(|text| HeaderValue::from_str(&text)) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
    }

    fn opening(&self) -> Bytes {
        let (ClientWire::Ui(ui), Some(conversation)) = (&self.wire, &self.call.conversation) else {
            return Bytes::new();
        };
        let metadata = json!({
            "call_id": self.call.hold.call_id,
            "model": self.call.priced.model.id,
            "conversation_id": conversation.id,
        });
        ui.start(conversation.message_id(), &metadata).into()
    }

    fn closing(&mut self) -> Bytes {
        let is_whole = matches!(self.observer.outcome(), Outcome::Completed | Outcome::Refused);
        let finish = self.finish();
        let failure = self.failure();
        match &mut self.wire {
            ClientWire::Ui(ui) if is_whole => ui.finish(&finish).into(),
            ClientWire::Ui(ui) => ui.error(failure.detail(), Some(&finish)).into(),
            // A stream that breaks off must not look like one that ended.
            ClientWire::Bytes { .. } if self.observer.outcome() == Outcome::Cut => {
                let event = json!({ "type": "error", "error": { "type": "api_error", "message": failure.detail() } });
                format!("event: error\ndata: {event}\n\n").into()
            }
            _ => Bytes::new(),
        }
    }

    fn json_reply(&self) -> Result<Response, Error> {
        let conversation = self.call.conversation.as_ref().ok_or_else(|| Error::internal("no conversation"))?;
        let message = ReplyMessage {
            id: conversation.message_id(),
            role: "assistant",
            text: self.observer.text(),
            content: self.observer.content(),
        };
        let (finish, stop_reason) = (self.finish(), self.observer.stop_reason());
        http::json(StatusCode::OK, &ChatReply { conversation_id: &conversation.id, message, finish, stop_reason })
    }

    fn account(&self) -> Account {
        self.call.account(&self.ctx, &self.observer, &self.course)
    }

    fn finish(&self) -> Finish {
        let account = self.account();
        Finish {
            call_id: self.call.hold.call_id.0.clone(),
            model: account.model,
            usage: usage_json(&account.usage),
            usage_source: account.source.as_str(),
            cost_nanousd: account.cost_nanousd,
            cost_usd: format_usd(account.cost_nanousd),
            limits: self.call.hold.limits(),
        }
    }

    /// Why an answer is not whole, without Claude's own words: they can quote anything.
    fn failure(&self) -> Error {
        match (&self.course.error, self.observer.error_type()) {
            (Some(error), _) => error.clone().into(),
            (None, Some("overloaded_error")) => {
                Error::new(Code::ClaudeOverloaded, "Claude is overloaded at the moment. Try again.").retry_after_s(5)
            }
            (None, _) => Error::new(Code::ClaudeUnavailable, "Claude's answer broke off. Try again."),
        }
    }
}
