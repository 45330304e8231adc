//! A Redis that a test may flush, lock and kill.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use crate::certificates::Certificate;

/// What a Redis with TLS wants to hear.
pub const PASSWORD: &str = "hunter2-of-redis";

/// `redis-server` on a port of its own, keeping nothing; killed in the end.
pub struct PrivateRedis {
    port: u16,
    arguments: Vec<String>,
    server: Child,
}

impl PrivateRedis {
    /// Starts it.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start() -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        Self::launched(port, ["--port".to_owned(), port.to_string()].into())
    }

    /// Starts one that speaks TLS alone, with a certificate to show, and wants a password.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start_with_tls(certificate: &Certificate) -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let [certificate, key] = [&certificate.certificate, &certificate.key].map(|path| path.display().to_string());
        let line = format!(
            "--port 0 --tls-port {port} --tls-cert-file {certificate} --tls-key-file {key} \
             --tls-ca-cert-file {certificate} --tls-auth-clients no --requirepass {PASSWORD}"
        );
        Self::launched(port, line.split(' ').map(str::to_owned).collect())
    }

    fn launched(port: u16, arguments: Vec<String>) -> Self {
        let server = launch(&arguments);
        Self { port, arguments, server }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Where it is, if it was started with TLS.
    pub fn tls_url(&self) -> String {
        format!("rediss://:{PASSWORD}@localhost:{}", self.port)
    }

    /// As a crash does it.
    ///
    /// # Panics
    /// Where it is gone already.
    pub fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    /// Again, empty, on the same port.
    pub fn start_again(&mut self) {
        self.server = launch(&self.arguments);
    }

    /// It takes connections and bytes and answers nothing.
    pub fn hang(&self) {
        self.signal("-STOP");
    }

    /// It goes on where it hung.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(signal).arg(self.server.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// A command from somebody else.
    ///
    /// # Panics
    /// Where Redis refuses it.
    pub fn command(&self, args: &[&str]) {
        let mut connection = redis::Client::open(self.url()).unwrap().get_connection().unwrap();
        let mut command = redis::Cmd::new();
        for arg in args {
            command.arg(arg);
        }
        command.exec(&mut connection).unwrap();
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Returns once it accepts connections.
fn launch(arguments: &[String]) -> Child {
    let mut server = Command::new("redis-server")
        .args(arguments)
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .current_dir(std::env::temp_dir())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("redis-server is not installed: {error}"));
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("Ready to accept connections")), "redis-server did not start");
    // It writes a few more lines; somebody has to read them.
    std::thread::spawn(move || lines.count());
    server
}
