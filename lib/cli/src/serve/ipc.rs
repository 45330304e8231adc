//! What a function says over its socket: JSON objects, each followed by a NUL byte.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::UnixListener,
    sync::oneshot,
};

use super::{lines::Lines, open::Open};

#[derive(Deserialize)]
#[serde(tag = "type", content = "payload", rename_all = "kebab-case")]
enum Message {
    ServerStarted {
        #[serde(rename = "httpPort")]
        http_port: u16,
    },
    Log {
        message: String,
        level: String,
    },
    End {
        context: Context,
    },
}

#[derive(Deserialize)]
struct Context {
    #[serde(rename = "requestId")]
    request_id: u64,
}

/// Reads all that the function says until it closes its end. It must be read at all times: a function's write blocks
/// its only thread.
pub(super) async fn read(
    listener: UnixListener,
    name: String,
    open: Arc<Open>,
    started: oneshot::Sender<u16>,
    lines: Lines,
) {
    let Ok((stream, _)) = listener.accept().await else { return };
    let mut started = Some(started);
    let mut reader = BufReader::new(stream);
    let mut message = Vec::new();
    loop {
        message.clear();
        match reader.read_until(0, &mut message).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let json = message.strip_suffix(&[0]).unwrap_or(&message);
        match serde_json::from_slice(json) {
            Ok(Message::ServerStarted { http_port }) => {
                let _ = started.take().map(|started| started.send(http_port));
            }
            Ok(Message::Log { message, level }) => {
                let text = STANDARD.decode(&message).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                let text = text.unwrap_or(message);
                lines.line(format_args!("[{name}] {level} {text}"));
            }
            Ok(Message::End { context }) => open.ended(context.request_id),
            // A kind that a newer runtime sends.
            Err(_) => {}
        }
    }
}
