//! Sentry's side of the wire: takes envelopes and keeps them.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use serde_json::Value;

/// What takes envelopes.
pub struct Ingest {
    port: u16,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    /// Every request, head and body.
    requests: Vec<String>,
    /// What is answered: status and more headers.
    answer: Option<String>,
}

impl Ingest {
    /// Starts it.
    ///
    /// # Panics
    /// Where there is no port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard: Arc<Mutex<Heard>> = Arc::default();
        let shared = heard.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                take(socket, &shared);
            }
        });
        Self { port, heard }
    }

    /// What a deployment is told.
    pub fn dsn(&self) -> String {
        format!("http://a11ce@127.0.0.1:{}/7", self.port)
    }

    /// Answers like this from now on, such as `429 Too Many Requests\r\nretry-after: 60`.
    ///
    /// # Panics
    /// Never: nobody panics while holding the lock.
    pub fn answer_with(&self, answer: &str) {
        self.heard.lock().unwrap().answer = Some(answer.to_owned());
    }

    /// Every request so far, head and body.
    ///
    /// # Panics
    /// Never: nobody panics while holding the lock.
    pub fn requests(&self) -> Vec<String> {
        self.heard.lock().unwrap().requests.clone()
    }

    /// The events so far.
    ///
    /// # Panics
    /// Where an envelope is none: `develop.sentry.dev`, "Envelopes".
    pub fn events(&self) -> Vec<Value> {
        let requests = self.requests();
        let bodies = requests.iter().map(|request| request.split_once("\r\n\r\n").unwrap().1);
        bodies.flat_map(items).collect()
    }
}

/// The payloads of an envelope's events.
fn items(envelope: &str) -> Vec<Value> {
    let (head, mut rest) = envelope.split_once('\n').unwrap();
    serde_json::from_str::<Value>(head).unwrap();
    let mut events = Vec::new();
    while let Some((head, after)) = rest.split_once('\n') {
        let head: Value = serde_json::from_str(head).unwrap();
        let length = usize::try_from(head["length"].as_u64().unwrap()).unwrap();
        if head["type"] == "event" {
            events.push(serde_json::from_str(&after[..length]).unwrap());
        }
        rest = after[length..].trim_start_matches('\n');
    }
    events
}

fn take(mut socket: TcpStream, heard: &Mutex<Heard>) {
    let (mut read, mut buffer) = (Vec::new(), [0_u8; 16_384]);
    loop {
        let count = socket.read(&mut buffer).unwrap_or(0);
        if count == 0 {
            return;
        }
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        if body.len() < length {
            continue;
        }
        let mut heard = heard.lock().unwrap();
        heard.requests.push(text);
        let answer = heard.answer.clone().unwrap_or_else(|| "200 OK".to_owned());
        let _ = write!(socket, "HTTP/1.1 {answer}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}");
        return;
    }
}
