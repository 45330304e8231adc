//! Warm chat calls through the release binary, against the same calls made to Claude's stand-in directly. The two are
//! made in turns, so that what else the machine does falls on both alike. Prints latencies, what is added, and the
//! function's CPU time per 1,000 calls. `throughput [CALLS]`, with `tests/services` up.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the services say in the environment where they are")]

mod function;
mod rig;
mod times;
mod wire;

use function::Function;
use rig::mint;
use times::{quantile, timed};
use wire::Connection;

/// The pro plan allows a hundred calls an hour.
const CALLS_PER_CALLER: usize = 90;
const PROMPT: &str = "Tell me something about ledgers, in two sentences.";

fn main() {
    let calls: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000);
    let (_claude, claude_url) = rig::standin();
    let variables = rig::variables(&claude_url);
    let chat = Function::start("chat", &variables);

    println!(
        "{:<14}{:>12}{:>10}{:>12}{:>10}{:>12}{:>16}",
        "answer", "direct p50", "p90", "purser p50", "p90", "added p50", "CPU ms per 1000"
    );
    for is_stream in [true, false] {
        // Connections, prepared code paths, page faults: all of that is the first calls'.
        compare(&chat, &claude_url, is_stream, 50);
        let before = chat.cpu_ms();
        let [direct, ours] = compare(&chat, &claude_url, is_stream, calls);
        let cpu_ms = (chat.cpu_ms() - before) * 1_000.0 / calls as f64;
        let added = median_difference(&direct, &ours);
        println!(
            "{:<14}{:>12.2}{:>10.2}{:>12.2}{:>10.2}{added:>12.2}{cpu_ms:>16.0}",
            if is_stream { "stream, ms" } else { "JSON, ms" },
            quantile(&direct, 0.5),
            quantile(&direct, 0.9),
            quantile(&ours, 0.5),
            quantile(&ours, 0.9),
        );
    }
}

/// Makes calls in turns and gives their times in milliseconds: directly, and through the function.
fn compare(chat: &Function, claude_url: &str, is_stream: bool, calls: usize) -> [Vec<f64>; 2] {
    let mut claude = Connection::open(claude_url.strip_prefix("http://").unwrap());
    let mut ours = Connection::open(&format!("127.0.0.1:{}", chat.port));
    let direct = format!(
        r#"{{"model":"claude-haiku-5-5","max_tokens":200,"stream":{is_stream},"messages":[{{"role":"user","content":"{PROMPT}"}}]}}"#
    );
    let body = format!(r#"{{"message":"{PROMPT}","model":"claude-haiku-5-5","max_tokens":200}}"#);
    let accept = if is_stream { "text/event-stream" } else { "application/json" };
    let mut times = [Vec::new(), Vec::new()];
    let mut token = String::new();
    for call in 0..calls {
        if call % CALLS_PER_CALLER == 0 {
            token = mint(&format!("bench-{is_stream}-{calls}-{call}"));
        }
        let headers = "x-api-key: any\r\nanthropic-version: 2023-06-01\r\n";
        times[0].push(timed(|| claude.post("/v1/messages", headers, &direct, 200)));
        let headers = format!("authorization: Bearer {token}\r\naccept: {accept}\r\n");
        times[1].push(timed(|| ours.post("/api/chat", &headers, &body, 200)));
    }
    times
}

fn median_difference(base: &[f64], other: &[f64]) -> f64 {
    quantile(&base.iter().zip(other).map(|(base, other)| other - base).collect::<Vec<_>>(), 0.5)
}
