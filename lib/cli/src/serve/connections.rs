//! Connections to a function, kept alive between requests as the platform keeps them.

use std::sync::{Arc, Mutex, PoisonError};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{background, body::Body};

/// Idle connections to one port.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    port: u16,
    idle: Arc<Mutex<Vec<SendRequest<Body>>>>,
}

/// A connection that carries one request.
pub(super) struct Connection {
    sender: SendRequest<Body>,
    home: Connections,
}

impl Connections {
    pub(super) fn new(port: u16) -> Self {
        Self { port, idle: Arc::default() }
    }

    /// An idle connection, or a new one.
    pub(super) async fn take(&self) -> std::io::Result<Connection> {
        while let Some(sender) = self.pop() {
            if sender.is_ready() {
                return Ok(Connection { sender, home: self.clone() });
            }
        }
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        background::start(connection);
        sender.ready().await.map_err(std::io::Error::other)?;
        Ok(Connection { sender, home: self.clone() })
    }

    fn pop(&self) -> Option<SendRequest<Body>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

impl Connection {
    /// Sends the request; dropping the future closes the connection.
    pub(super) async fn send(&mut self, request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        self.sender.send_request(request).await
    }

    /// The answer has been read to its end: the connection can carry another request.
    pub(super) fn put_back(self) {
        if !self.sender.is_closed() {
            self.home.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.sender);
        }
    }
}
