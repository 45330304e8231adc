use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use purser_tests::{function, packages::installed};

use crate::upload::Upload;

/// The CLI with a command, in an upload.
pub(crate) fn vercel(upload: &Upload, arguments: &[&str]) -> Command {
    let mut command = upload.command("node");
    command.arg(installed("vercel-cli").join("vercel.mjs")).args(arguments);
    command
}

/// A running `vercel dev`. It stops with its standard input, and says what it said if the test fails.
pub(crate) struct Dev {
    child: Child,
    port: u16,
    said: Arc<Mutex<Vec<String>>>,
}

impl Dev {
    pub(crate) fn start(upload: &Upload, environment: impl IntoIterator<Item = (String, String)>) -> Self {
        let port = function::free_port();
        let (output, input) = std::io::pipe().unwrap();
        let child = vercel(upload, &["dev", &port.to_string()])
            .envs(environment)
            .stdin(Stdio::piped())
            .stdout(input.try_clone().unwrap())
            .stderr(input)
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let (sender, is_ready) = mpsc::channel();
        let heard = said.clone();
        std::thread::Builder::new()
            .spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if line.contains("Ready!") {
                        let _ = sender.send(());
                    }
                    heard.lock().unwrap().push(line);
                }
            })
            .unwrap();
        let dev = Self { child, port, said };
        assert!(is_ready.recv_timeout(Duration::from_secs(120)).is_ok(), "vercel dev is not ready");
        dev
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Dev {
    #[expect(clippy::print_stderr, reason = "a part of a test's failure")]
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("vercel dev said:\n{}", self.said.lock().unwrap().join("\n"));
        }
    }
}
