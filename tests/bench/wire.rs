//! A kept-alive HTTP/1.1 connection that costs the client next to nothing.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

pub(crate) struct Connection {
    socket: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: &str) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self { socket, answer: Vec::new() }
    }

    /// Posts a body and reads the answer to its end; any other status than `status` ends the bench.
    pub(crate) fn post(&mut self, path: &str, headers: &str, body: &str, status: u16) {
        let head = format!("POST {path} HTTP/1.1\r\nhost: bench\r\n{headers}content-length: {}\r\n\r\n", body.len());
        self.socket.write_all((head + body).as_bytes()).unwrap();
        self.answer.clear();
        let mut buffer = [0_u8; 65_536];
        while !is_whole(&self.answer) {
            let read = self.socket.read(&mut buffer).unwrap();
            assert!(read > 0, "the connection ended: {}", String::from_utf8_lossy(&self.answer));
            self.answer.extend_from_slice(&buffer[..read]);
        }
        let expected = format!("HTTP/1.1 {status} ");
        assert!(self.answer.starts_with(expected.as_bytes()), "{}", String::from_utf8_lossy(&self.answer));
    }
}

/// Whether all of an answer is there, by its length or its last chunk.
fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    match length {
        Some(length) => answer.len() >= head + 4 + length,
        None => answer.ends_with(b"\r\n0\r\n\r\n"),
    }
}
