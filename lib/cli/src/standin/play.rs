//! Playing an answer: at once or as a stream, whole or broken.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use serde_json::json;
use tokio::{sync::mpsc, time::sleep};

use super::{
    bill::OpenCall,
    blocks,
    directive::Play,
    events::{self, Event, Stream},
    figures,
    gates::Gates,
    reply::Reply,
    request::Ask,
};
use crate::{
    background,
    body::{self, Body, BodyError},
    listen::Hangup,
};

/// Waits as asked before the head; closes or hangs if that was asked for.
pub(crate) async fn before_head(ask: &Ask, gates: &Gates) -> Result<(), Hangup> {
    let play = &ask.directives.play;
    if play.cut_before_head {
        return Err(Hangup);
    }
    if play.hang {
        std::future::pending::<()>().await;
    }
    if play.latency_ms > 0 {
        sleep(Duration::from_millis(play.latency_ms)).await;
    }
    for gate in play.gates.iter().filter(|gate| gate.after == Some(0) || !ask.stream) {
        gates.pass(&gate.name).await;
    }
    Ok(())
}

/// The answer as one JSON document.
pub(crate) fn at_once(ask: &Ask, reply: &Reply, id: &str, stream: &Stream, call: OpenCall) -> Response<Body> {
    let mut message = events::message(ask, id);
    message["content"] = reply.blocks.iter().flat_map(blocks::whole).collect();
    message["stop_reason"] = json!(reply.stop_reason);
    message["stop_details"] = reply.stop_details.clone();
    if !(ask.directives.wire.no_usage || ask.directives.wire.no_final_usage) {
        message["usage"] = figures::full(&stream.total, stream.total.output_tokens, reply.thinking_tokens());
    }
    let json = message.to_string();
    call.used(&stream.total);
    let mut response = Response::new(body::full(Bytes::new()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if ask.directives.play.cut_after.is_some() {
        response.headers_mut().insert(header::CONTENT_LENGTH, json.len().into());
        let half = json.as_bytes()[..json.len() / 2].to_vec();
        *response.body_mut() = broken(half);
    } else {
        *response.body_mut() = body::full(json);
        call.finish();
    }
    response
}

/// A body that breaks off after its first piece.
fn broken(piece: Vec<u8>) -> Body {
    let (sender, body) = body::fed();
    background::start(async move {
        let _ = sender.send(Ok(piece.into())).await;
        let _ = sender.send(Err(cut())).await;
    });
    body
}

/// The answer as server-sent events.
pub(crate) fn streamed(ask: Ask, stream: Stream, gates: Arc<Gates>, call: OpenCall) -> Response<Body> {
    let (sender, body) = body::fed();
    background::start(async move {
        let player = Player { play: ask.directives.play, first_delta: stream.first_delta, gates, sender, call };
        player.play(stream.events).await;
    });
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

struct Player {
    play: Play,
    first_delta: usize,
    gates: Arc<Gates>,
    sender: mpsc::Sender<Result<Bytes, BodyError>>,
    call: OpenCall,
}

impl Player {
    /// Plays all events. The call is finished when they are all out, and cut when they are not.
    async fn play(self, events: Vec<Event>) {
        for (index, event) in events.iter().enumerate() {
            if index > 0 && self.play.delta_ms > 0 && !self.wait(sleep(Duration::from_millis(self.play.delta_ms))).await
            {
                return;
            }
            if self.play.cut_after == Some(index) {
                let _ = self.sender.send(Err(cut())).await;
                return;
            }
            self.call.used(&event.used);
            if self.sender.send(Ok(event.wire().into())).await.is_err() {
                return;
            }
            if !self.after(index + 1).await {
                return;
            }
        }
        self.finish().await;
    }

    /// What is to happen after so many events; false ends the stream.
    async fn after(&self, sent: usize) -> bool {
        for gate in &self.play.gates {
            if gate.after.unwrap_or(self.first_delta) == sent && !self.wait(self.gates.pass(&gate.name)).await {
                return false;
            }
        }
        let Some(error) = &self.play.mid_error else { return true };
        if error.after.unwrap_or(self.first_delta) != sent {
            return true;
        }
        let error =
            json!({ "type": "error", "error": { "type": error.name, "message": "The stand-in was told to fail." } });
        let _ = self.sender.send(Ok(events::wire(&error).into())).await;
        false
    }

    /// Waits, but not longer than the caller does.
    async fn wait(&self, something: impl Future<Output = ()>) -> bool {
        tokio::select! {
            () = something => true,
            () = self.sender.closed() => false,
        }
    }

    async fn finish(self) {
        if self.play.cut_after.is_some() {
            // Fewer events than that: cut where the good end would be.
            let _ = self.sender.send(Err(cut())).await;
        } else {
            self.call.finish();
        }
    }
}

fn cut() -> BodyError {
    "the stand-in was told to close the connection".into()
}
