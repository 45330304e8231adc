//! Spawn to first answer of release binaries, side by side: every round starts each once, so that what else the
//! machine does falls on all of them alike. Prints medians, and ratios to `hello`. `coldstart [ROUNDS]`
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and fails by panicking")]

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A binary, the request that it answers without I/O, and how that answer begins.
const CASES: [(&str, &str); 10] = [
    ("hello", "GET /"),
    ("health", "GET /api/health"),
    ("usage", "POST /api/usage"),
    ("conversations", "PUT /api/conversations"),
    ("v1-messages", "GET /api/v1/messages"),
    ("chat", "GET /api/chat"),
    ("auth-session", "GET /api/auth/session"),
    ("auth-account", "PUT /api/auth/account"),
    ("billing-checkout", "GET /api/billing/checkout"),
    ("billing-webhook", "GET /api/billing/webhook"),
];

#[derive(Clone, Copy)]
struct Sample {
    first_answer_us: f64,
    cpu_us: f64,
}

fn main() {
    let rounds: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(40);
    let folder = deployed(std::env::current_exe().unwrap().parent().unwrap());
    let mut samples = vec![Vec::new(); CASES.len()];
    for round in 0..rounds + 3 {
        for step in 0..CASES.len() {
            let case = (step * 3 + round) % CASES.len();
            let sample = start(&folder, CASES[case].0, CASES[case].1);
            // The first rounds only fill the page cache.
            if round >= 3 {
                samples[case].push(sample);
            }
        }
    }
    println!("{:<18}{:>10}{:>16}{:>12}{:>8}{:>8}", "function", "MiB", "answer ms", "CPU ms", "ratio", "CPU");
    for (case, (name, _)) in CASES.iter().enumerate() {
        let mib = std::fs::metadata(folder.join(name)).unwrap().len() as f64 / 1_048_576.0;
        let ratio = |of: fn(&Sample) -> f64| {
            median(samples[case].iter().zip(&samples[0]).map(|(own, base)| of(own) / of(base)).collect())
        };
        let [answer, cpu] = [|s: &Sample| s.first_answer_us, |s: &Sample| s.cpu_us];
        let absolute = |of: fn(&Sample) -> f64| median(samples[case].iter().map(of).collect()) / 1_000.0;
        println!(
            "{name:<18}{mib:>10.2}{:>16.2}{:>12.2}{:>8.2}{:>8.2}",
            absolute(answer),
            absolute(cpu),
            ratio(answer),
            ratio(cpu)
        );
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// A copy of all of them, as the platform unpacks one: a file that is written from its beginning to its end lies in the
/// page cache in larger pieces than one that a linker put together, and takes fewer page faults.
fn deployed(built: &Path) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("purser-cold-start-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    for (name, _) in CASES {
        std::fs::copy(built.join(name), folder.join(name)).unwrap();
    }
    folder
}

fn start(folder: &Path, name: &str, request: &str) -> Sample {
    let socket = std::env::temp_dir().join(format!("purser-cold-{}", std::process::id()));
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let from = Instant::now();
    let mut child = Command::new(folder.join(name))
        .env_clear()
        .env("VERCEL_IPC_PATH", &socket)
        .env("VERCEL_DEV_PORT", port.to_string())
        .env("VERCEL_ENV", "production")
        .env("JWT_SECRET", "a secret of the bench that is long enough for HS256")
        // Nothing listens there: connections cost what it takes to ask for one.
        .env("DATABASE_URL", "postgres://nobody@127.0.0.1:9/none")
        .env("REDIS_URL", "redis://127.0.0.1:9")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut ipc, _) = listener.accept().unwrap();
    let mut message = [0_u8; 512];
    assert!(ipc.read(&mut message).unwrap() > 0, "{name} does not start");
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    write!(client, "{request} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = [0_u8; 4096];
    assert!(client.read(&mut answer).unwrap() > 0, "{name} does not answer");
    let first_answer_us = from.elapsed().as_secs_f64() * 1e6;
    let cpu_us = cpu_ns(&child) as f64 / 1_000.0;
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_file(&socket).unwrap();
    Sample { first_answer_us, cpu_us }
}

/// What all threads of a process have run so far, by the scheduler's own account.
fn cpu_ns(child: &Child) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id())).unwrap();
    let spent = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok());
    spent.filter_map(|text| text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok())).sum()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
