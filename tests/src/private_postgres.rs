//! A Postgres that takes nobody without TLS and a password.

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::{certificates::Certificate, function::free_port, services};

/// What its user `purser` must know.
pub const PASSWORD: &str = "hunter2-of-postgres";

/// `postgres` on a port of its own with `ssl=on`; killed and removed in the end.
pub struct PrivatePostgres {
    port: u16,
    folder: PathBuf,
    server: Child,
}

impl PrivatePostgres {
    /// Starts it with a certificate to show.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start(certificate: &Certificate) -> Self {
        let folder = std::env::temp_dir().join(services::unique("postgres"));
        std::fs::create_dir_all(&folder).unwrap();
        let data = folder.join("data");
        let password = folder.join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&folder).arg(&password));
        }
        let mut initdb = program("initdb");
        initdb.args(["-U", "purser", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync", "-D"]).arg(&data);
        run(initdb.arg("--pwfile").arg(&password));
        std::fs::write(data.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 scram-sha-256\n").unwrap();
        let port = free_port();
        let server = launch(&data, port, certificate);
        Self { port, folder, server }
    }

    /// Where it is, with what is after the `?`.
    pub fn url(&self, options: &str) -> String {
        format!("postgres://purser:{PASSWORD}@localhost:{}/postgres{options}", self.port)
    }

    /// Ends it and starts it with another certificate, on the same port and with its data.
    pub fn start_again(&mut self, certificate: &Certificate) {
        self.stop();
        self.server = launch(&self.folder.join("data"), self.port, certificate);
    }

    /// A kill would leave its shared memory behind.
    fn stop(&mut self) {
        let _ = Command::new("kill").arg("-QUIT").arg(self.server.id().to_string()).status();
        let _ = self.server.wait();
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        self.stop();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Returns once it accepts connections.
fn launch(data: &Path, port: u16, certificate: &Certificate) -> Child {
    let mut owner = vec![];
    if is_root() {
        owner = vec!["-o", "postgres"];
    }
    for (from, to) in [(&certificate.certificate, "server.crt"), (&certificate.key, "server.key")] {
        // It takes no key that others could read.
        run(Command::new("install").args(&owner).args(["-m", "600"]).arg(from).arg(data.join(to)));
    }
    let mut server = program("postgres");
    server.arg("-D").arg(data).args(["-h", "127.0.0.1", "-k", "", "-p", &port.to_string()]);
    server.args(["-c", "ssl=on", "-c", "fsync=off", "-c", "lc_messages=C"]);
    let mut server = server.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut said = String::new();
    let is_ready = lines.any(|line| {
        said += &line;
        line.contains("ready to accept connections")
    });
    assert!(is_ready, "postgres did not start: {said}");
    // It writes more lines; somebody has to read them.
    std::thread::spawn(move || lines.count());
    server
}

/// One of its programs, the newest version's, as a user that it does not refuse.
fn program(name: &str) -> Command {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest =
        versions.map(|entry| entry.path()).filter(|path| number(path).is_some()).max_by_key(|path| number(path));
    let path = newest.map_or_else(|| PathBuf::from(name), |version| version.join("bin").join(name));
    if !is_root() {
        return Command::new(path);
    }
    let mut unprivileged = Command::new("setpriv");
    unprivileged.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(path);
    unprivileged
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

fn run(command: &mut Command) {
    let ran = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
}
