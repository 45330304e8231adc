//! A function's binary as the platform runs it.

use std::{
    io::Read as _,
    os::unix::net::UnixListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

pub(crate) fn beside(name: &str) -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().join(name)
}

/// A child that ends with us.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) struct Function {
    pub(crate) process: Process,
    pub(crate) port: u16,
}

impl Function {
    pub(crate) fn start(name: &str, variables: &[(&str, String)]) -> Self {
        let socket = std::env::temp_dir().join(format!("purser-bench-{}", std::process::id()));
        let listener = UnixListener::bind(&socket).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(beside(name))
            .env_clear()
            .env("VERCEL_IPC_PATH", &socket)
            .env("VERCEL_DEV_PORT", port.to_string())
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let process = Process(child);
        let (mut ipc, _) = listener.accept().unwrap();
        std::fs::remove_file(&socket).unwrap();
        let mut message = [0_u8; 512];
        assert!(ipc.read(&mut message).unwrap() > 0, "{name} does not start");
        // A function whose messages nobody reads stands still in the end.
        std::thread::spawn(move || std::io::copy(&mut ipc, &mut std::io::sink()));
        Self { process, port }
    }

    /// What its threads have run so far, to the microsecond. Those for blocking work live on for seconds.
    pub(crate) fn cpu_ms(&self) -> f64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.process.0.id())).unwrap();
        let stats = threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap());
        stats.map(|stat| stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e6).sum()
    }
}
