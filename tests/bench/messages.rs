//! What fidelity costs: CPU and memory of long streams and of long requests, against a function that passes the same
//! bytes on and looks at none of them. `messages [CALLS [ROW]]`, with `tests/services` up: only rows whose name has ROW.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the services say in the environment where they are")]

mod function;
mod rig;
mod wire;

use function::Function;
use rig::mint;
use wire::Connection;

/// The platform takes 4.5 MB.
const LONG_BYTES: usize = 3_900_000;
/// Ours and the proxy take turns, so that what else the machine does is borne by both.
const ROUNDS: usize = 5;
/// The pro plan allows a hundred calls an hour.
const CALLS_PER_CALLER: usize = 90;
/// What the long request may add.
const ADDED_MS_MAX: f64 = 30.0;
/// What a stream may cost, of the proxy's CPU.
const RATIO_MAX: f64 = 1.5;

struct Row {
    name: &'static str,
    function: &'static str,
    path: &'static str,
    /// What the proxy is sent, and what the function is.
    bodies: [String; 2],
    calls: usize,
    is_stream: bool,
}

fn main() {
    let argument = |at| std::env::args().nth(at);
    let calls: usize = argument(1).and_then(|text| text.parse().ok()).unwrap_or(100);
    let wanted = argument(2).unwrap_or_default();
    let (_claude, claude_url) = rig::standin();
    let variables = rig::variables(&claude_url);
    println!(
        "{:<40}{:>12}{:>10}{:>8}{:>8}{:>10}",
        "CPU ms a call, median", "plain proxy", "purser", "added", "ratio", ""
    );
    for row in rows(calls).iter().filter(|row| row.name.contains(&wanted)) {
        let functions = ["proxy", row.function].map(|name| Function::start(name, &variables));
        let [plain, ours] = cpu_ms(row, &functions);
        let is_kept = if row.is_stream { ours / plain <= RATIO_MAX } else { ours - plain <= ADDED_MS_MAX };
        let (name, added, word) = (row.name, ours - plain, if is_kept { "" } else { "TOO MUCH" });
        println!("{name:<40}{plain:>12.2}{ours:>10.2}{added:>8.2}{:>8.2}{word:>10}", ours / plain);
    }
    println!("\n{:<40}{:>12}{:>10}{:>8}", "Peak memory of one call, copies of it", "plain proxy", "purser", "MB");
    for row in rows(calls).iter().filter(|row| !row.is_stream && row.name.contains(&wanted)) {
        let mb = ["proxy", row.function].map(|name| peak_mb(row, name, &variables));
        let bodies = [0, 1].map(|at| row.bodies[at].len() as f64 / 1e6);
        println!("{:<40}{:>12.2}{:>10.2}{:>8.1}", row.name, mb[0] / bodies[0], mb[1] / bodies[1], mb[1]);
    }
}

fn rows(calls: usize) -> Vec<Row> {
    const V1: [&str; 2] = ["v1-messages", "/api/v1/messages"];
    const CHAT: [&str; 2] = ["chat", "/api/chat"];
    let row = |name, [function, path]: [&'static str; 2], plain: &String, body: &String, calls, is_stream| Row {
        name,
        function,
        path,
        bodies: [plain.clone(), body.clone()],
        calls,
        is_stream,
    };
    let [burst, paced] = ["[[standin: deltas=1000]]", "[[standin: deltas=1000 delta_ms=1]]"];
    let long = stream(&"one two three ".repeat(LONG_BYTES / 14));
    // A stream in which every event comes alone takes seconds; a long request is kept, or counted, in full.
    let (few, quarter) = (ROUNDS * (calls / 50).max(1), ROUNDS * (calls / 20).max(1));
    vec![
        row("/api/v1, 1,000 deltas at once", V1, &stream(burst), &stream(burst), calls, true),
        row("/api/chat, 1,000 deltas at once", CHAT, &stream(burst), &message(burst), calls, true),
        row("/api/v1, 1,000 deltas one by one", V1, &stream(paced), &stream(paced), few, true),
        row("/api/chat, 1,000 deltas one by one", CHAT, &stream(paced), &message(paced), few, true),
        row("/api/v1, prompt of 4 MB", V1, &long, &long, quarter, false),
        // A plan takes a million tokens of text at most, but a picture is cheaper than its bytes.
        row("/api/chat, picture of 4 MB", CHAT, &long, &picture(), quarter, false),
    ]
}

fn stream(words: &str) -> String {
    format!(
        r#"{{"model":"claude-sonnet-5-5","max_tokens":2000,"stream":true,"messages":[{{"role":"user","content":"{words}"}}]}}"#
    )
}

fn message(words: &str) -> String {
    format!(r#"{{"model":"claude-sonnet-5-5","max_tokens":2000,"message":"{words}"}}"#)
}

fn picture() -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let bytes = [b"\x89PNG\r\n\x1a\n".as_slice(), &vec![7; LONG_BYTES * 3 / 4]].concat();
    let url = format!("data:image/png;base64,{}", STANDARD.encode(bytes));
    format!(
        r#"{{"messages":[{{"role":"user","parts":[{{"type":"file","mediaType":"image/png","url":"{url}"}}]}}],"model":"claude-sonnet-5-5"}}"#
    )
}

/// CPU milliseconds by call of the proxy and of ours: the median of the rounds.
fn cpu_ms(row: &Row, functions: &[Function; 2]) -> [f64; 2] {
    let paths = ["/", row.path];
    let mut callers = [0, 1].map(|at| Caller::new(&functions[at], paths[at], &row.bodies[at]));
    // Connections, page faults and the like are the first calls'.
    callers.iter_mut().for_each(|caller| caller.call(2));
    let mut costs = [Vec::new(), Vec::new()];
    let calls = (row.calls / ROUNDS).max(1);
    for _ in 0..ROUNDS {
        for at in [0, 1] {
            let before = functions[at].cpu_ms();
            callers[at].call(calls);
            costs[at].push((functions[at].cpu_ms() - before) / calls as f64);
        }
    }
    costs.map(|mut costs| {
        costs.sort_by(f64::total_cmp);
        costs[ROUNDS / 2]
    })
}

/// How much memory the first long call takes, in a process that has made short ones.
fn peak_mb(row: &Row, name: &str, variables: &[(&str, String)]) -> f64 {
    let function = Function::start(name, variables);
    let (path, body) = if name == "proxy" { ("/", &row.bodies[0]) } else { (row.path, &row.bodies[1]) };
    let short = if name == "chat" { message("Hi") } else { stream("Hi") };
    Caller::new(&function, path, &short).call(3);
    let process = format!("/proc/{}", function.process.0.id());
    // The peak is what there is now, from here on.
    std::fs::write(format!("{process}/clear_refs"), "5").unwrap();
    let before_mb = memory_mb(&process, "VmRSS");
    Caller::new(&function, path, body).call(1);
    memory_mb(&process, "VmHWM") - before_mb
}

fn memory_mb(process: &str, name: &str) -> f64 {
    let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1_024.0 / 1e6
}

/// Somebody who calls a function again and again, under a new name in time.
struct Caller<'a> {
    connection: Connection,
    path: &'a str,
    body: &'a str,
    calls: usize,
    token: String,
}

impl<'a> Caller<'a> {
    fn new(function: &Function, path: &'a str, body: &'a str) -> Self {
        let connection = Connection::open(&format!("127.0.0.1:{}", function.port));
        Self { connection, path, body, calls: 0, token: String::new() }
    }

    fn call(&mut self, calls: usize) {
        for _ in 0..calls {
            if self.calls.is_multiple_of(CALLS_PER_CALLER) {
                let now_us = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros();
                self.token = mint(&format!("bench-{now_us}"));
            }
            self.calls += 1;
            let headers = format!("authorization: Bearer {}\r\n", self.token);
            self.connection.post(self.path, &headers, self.body, 200);
        }
    }
}
