//! What fidelity costs: the CPU of a long request and of a long stream, against a function that passes the same bytes on
//! and looks at none of them. `messages [CALLS]`, with `tests/services` up.
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
const EVENTS: usize = 1_000;
/// The pro plan allows a hundred calls an hour.
const CALLS_PER_CALLER: usize = 90;

fn main() {
    let calls: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(90);
    let (_claude, claude_url) = rig::standin();
    let variables = rig::variables(&claude_url);
    let proxy = Function::start("proxy", &variables);
    let messages = Function::start("v1-messages", &variables);
    let chat = Function::start("chat", &variables);

    let stream = |words: &str| {
        format!(
            r#"{{"model":"claude-sonnet-5-5","max_tokens":2000,"stream":true,"messages":[{{"role":"user","content":"{words}"}}]}}"#
        )
    };
    let words = format!("[[standin: deltas={EVENTS}]]");
    let long = "one two three ".repeat(LONG_BYTES / 14);
    println!("{:<34}{:>14}{:>16}{:>14}{:>8}", "CPU ms a call", "plain proxy", "purser", "added", "ratio");
    let row = |what: &str, ours: &Function, path: &str, plain: &str, body: &str, calls: usize| {
        let [base, cost] = [measure(&proxy, "/", plain, calls), measure(ours, path, body, calls)];
        println!("{what:<34}{base:>14.2}{cost:>16.2}{:>14.2}{:>8.2}", cost - base, cost / base);
    };
    let (plain, plain_long) = (stream(&words), stream(&long));
    row("/api/v1, stream of 1,000 deltas", &messages, "/api/v1/messages", &plain, &plain, calls);
    row("/api/chat, stream of 1,000 deltas", &chat, "/api/chat", &plain, &message(&words), calls);
    // Each of these is kept, or counted, in full: a quarter of the calls will do.
    row("/api/v1, prompt of 4 MB", &messages, "/api/v1/messages", &plain_long, &plain_long, calls / 4);
    // A plan takes a million tokens of text at most, but a picture is cheaper than its bytes.
    row("/api/chat, picture of 3 MB", &chat, "/api/chat", &plain_long, &picture(), calls / 4);
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

/// CPU milliseconds of the function by call.
fn measure(function: &Function, path: &str, body: &str, calls: usize) -> f64 {
    let mut connection = Connection::open(&format!("127.0.0.1:{}", function.port));
    let mut run = |calls: usize| {
        let mut token = String::new();
        for call in 0..calls {
            if call % CALLS_PER_CALLER == 0 {
                token = mint(&format!("bench-{path}-{}-{call}-{calls}", body.len()));
            }
            connection.post(path, &format!("authorization: Bearer {token}\r\n"), body, 200);
        }
    };
    // Connections, page faults and the like are the first calls'.
    run(5);
    let before = function.cpu_ms();
    run(calls);
    (function.cpu_ms() - before) / calls as f64
}
