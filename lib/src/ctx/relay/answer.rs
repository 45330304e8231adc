//! What the client is told: heads, first and last words, and errors.

use bytes::Bytes;
use serde_json::json;

use super::Relay;
use crate::{
    Code, Error,
    chat::{ChatReply, Finish, ReplyMessage, usage_json},
    claude::{Outcome, UpstreamResponse},
    cost::format_usd,
    ctx::{ClientWire, client_wire::mark_as_ui_stream, settle::Account},
    http::{self, Body, HeaderName, HeaderValue, Response, StatusCode},
};

impl Relay {
    pub(super) fn stream_head(&self, upstream: &UpstreamResponse, body: Body) -> Response {
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
    pub(super) fn pass_headers(&self, upstream: &UpstreamResponse, response: &mut Response) {
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

    pub(super) fn opening(&self) -> Bytes {
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

    pub(super) fn closing(&mut self) -> Bytes {
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

    pub(super) fn json_reply(&self) -> Result<Response, Error> {
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

    pub(super) fn account(&self) -> Account {
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
    pub(super) fn failure(&self) -> Error {
        match (&self.course.error, self.observer.error_type()) {
            (Some(error), _) => error.clone().into(),
            (None, Some("overloaded_error")) => {
                Error::new(Code::ClaudeOverloaded, "Claude is overloaded at the moment. Try again.").retry_after_s(5)
            }
            (None, _) => Error::new(Code::ClaudeUnavailable, "Claude's answer broke off. Try again."),
        }
    }
}
