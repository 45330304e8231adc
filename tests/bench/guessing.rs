//! What a stranger can tell by the clock: signing in with a wrong password, to an account and to none, and signing up
//! with an address that is free or taken. The two of a pair are tried in turns, so that what else the machine does
//! falls on both alike. Prints medians, their ratio, and CPU time. `guessing [TRIES]`, with `tests/services` up.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the services say in the environment where they are")]

mod function;
mod times;
mod wire;

use std::process::{Command, Stdio};

use function::{Function, beside};
use times::{quantile, timed};
use wire::Connection;

const PASSWORD: &str = "correct horse battery staple";
/// An account takes five attempts in a quarter of an hour; signing up was one of them.
const TRIES_PER_ACCOUNT: usize = 4;

fn main() {
    let tries: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(200);
    let variables = [
        ("DATABASE_URL", std::env::var("TEST_POSTGRES_URL").unwrap()),
        ("REDIS_URL", std::env::var("TEST_REDIS_URL").unwrap()),
        ("JWT_SECRET", "a secret of the bench that is long enough for HS256".to_owned()),
        ("TRUST_PROXY", "1".to_owned()),
    ];
    let migrated = Command::new(beside("purser")).arg("migrate").envs(variables.clone()).stdout(Stdio::null()).status();
    assert!(migrated.unwrap().success());
    let [account, session] = ["auth-account", "auth-session"].map(|name| Function::start(name, &variables));
    let mut guesser = Guesser::new(&account, &session);
    for at in 0..tries.div_ceil(TRIES_PER_ACCOUNT) {
        for pair in ["in", "up"] {
            guesser.sign_up(&taken(pair, at * TRIES_PER_ACCOUNT));
        }
    }
    println!("{:<22}{:>10}{:>12}{:>12}{:>8}{:>12}", "", "tries", "known ms", "unknown ms", "ratio", "CPU ms each");
    for (name, pair) in [("sign in, wrong", "in"), ("sign up", "up")] {
        let function = if pair == "in" { &session } else { &account };
        let before_ms = function.cpu_ms();
        let mut times = [Vec::new(), Vec::new()];
        for at in 0..tries {
            // Who comes first takes turns as well.
            for side in [at % 2, 1 - at % 2] {
                let email =
                    if side == 0 { taken(pair, at) } else { format!("nobody-{pair}-{at}-{}@example.com", run()) };
                times[side].push(if pair == "in" { guesser.sign_in(&email) } else { guesser.sign_up(&email) });
            }
        }
        let cpu_ms = (function.cpu_ms() - before_ms) / (2 * tries) as f64;
        let [known, unknown] = times.map(|side| quantile(&side, 0.5));
        let ratio = known / unknown;
        println!("{name:<22}{tries:>10}{known:>12.2}{unknown:>12.2}{ratio:>8.3}{cpu_ms:>12.1}");
    }
}

/// The address of an account, the same for as many tries as it takes.
fn taken(pair: &str, at: usize) -> String {
    format!("somebody-{pair}-{}-{}@example.com", at / TRIES_PER_ACCOUNT, run())
}

/// A name of this run: the database may remember others.
fn run() -> u32 {
    std::process::id()
}

/// Somebody with more addresses than anybody can count.
struct Guesser {
    account: Connection,
    session: Connection,
    networks: u64,
}

impl Guesser {
    fn new(account: &Function, session: &Function) -> Self {
        let open = |function: &Function| Connection::open(&format!("127.0.0.1:{}", function.port));
        let networks = u64::from(run()) << 24;
        Self { account: open(account), session: open(session), networks }
    }

    /// Every try comes from another network.
    fn headers(&mut self) -> String {
        self.networks += 1;
        let [high, mid, low] = [self.networks >> 32, self.networks >> 16, self.networks].map(|bits| bits & 0xffff);
        format!("x-real-ip: 2001:{high:x}:{mid:x}:{low:x}::1\r\n")
    }

    fn sign_up(&mut self, email: &str) -> f64 {
        let (headers, body) = (self.headers(), format!(r#"{{"email":"{email}","password":"{PASSWORD}"}}"#));
        timed(|| self.account.post("/api/auth/account", &headers, &body, 202))
    }

    fn sign_in(&mut self, email: &str) -> f64 {
        let (headers, body) = (self.headers(), format!(r#"{{"email":"{email}","password":"a wrong one"}}"#));
        timed(|| self.session.post("/api/auth/session", &headers, &body, 401))
    }
}
