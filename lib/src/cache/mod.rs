//! Redis, over TCP or as Upstash over REST: commands, pipelines and scripts, each with one deadline.
//!
//! Nothing is opened before the first command or [`Cache::warm`]. A command whose connection breaks under it is
//! sent once more, because functions are frozen and thawed and their sockets die meanwhile: send only what may run
//! twice (reads, `SET`, scripts that are idempotent by call id), never a bare `INCR`.

mod breaker;
mod error;
mod reply;
mod tcp;
mod upstash;

use std::time::Duration;

use tokio::time::Instant;

use self::breaker::Breaker;
pub use self::{
    breaker::Change,
    error::CacheError,
    reply::{Arg, Reply},
    tcp::TcpCache,
    upstash::UpstashCache,
};
use crate::net::Authorities;

/// How long an operation may take, a connection included, unless a test says otherwise.
pub const DEADLINE: Duration = Duration::from_millis(200);
/// How long [`Cache::warm`] may take: it runs beside the first request and nobody waits for it.
const WARM_DEADLINE: Duration = Duration::from_secs(2);

/// A Lua script with the hash that names it. No shebang line: plain Redis 7.0 refuses the flag that Upstash knows.
#[derive(Debug)]
pub struct Script {
    /// The script.
    pub text: &'static str,
    /// SHA-1 of the text in lower-case hex, as `EVALSHA` wants it.
    pub sha1: &'static str,
}

impl Script {
    /// The hash as it should be: what the tests of every script compare.
    #[cfg(test)]
    pub(crate) fn computed_sha1(&self) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, self.text.as_bytes());
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// One Redis. Cheap to clone; clones share their connection.
#[derive(Clone, Debug)]
pub struct Cache {
    door: Door,
    breaker: Option<Breaker>,
}

/// How Redis is reached.
#[derive(Clone, Debug)]
enum Door {
    /// `redis://` or `rediss://`.
    Tcp(TcpCache),
    /// Upstash's REST API.
    Upstash(UpstashCache),
}

impl Cache {
    /// Redis over TCP. Parses, connects to nothing.
    ///
    /// On a Redis cluster give a prefix with a hash tag, such as `{purser}:`, because scripts take several keys.
    ///
    /// # Errors
    /// [`CacheError::Address`] if `url` is no `redis://` or `rediss://` URL.
    pub fn tcp(url: &str, prefix: &str) -> Result<Self, CacheError> {
        Self::tcp_trusting(url, prefix, None)
    }

    /// Redis over TCP, with its own authorities in place of Mozilla's, where they are given.
    ///
    /// # Errors
    /// As [`Cache::tcp`]; with authorities the URL must be `rediss://`.
    pub fn tcp_trusting(url: &str, prefix: &str, authorities: Option<&Authorities>) -> Result<Self, CacheError> {
        Ok(Self { door: Door::Tcp(TcpCache::new(url, prefix, authorities)?), breaker: None })
    }

    /// Upstash over REST. Parses, connects to nothing.
    ///
    /// # Errors
    /// [`CacheError::Address`] if `url` is no `https://` (or, for a local double, `http://`) URL, or the token
    /// cannot stand in a header.
    pub fn upstash(url: &str, token: &str, prefix: &str) -> Result<Self, CacheError> {
        Ok(Self { door: Door::Upstash(UpstashCache::new(url, token, prefix)?), breaker: None })
    }

    /// The same with another deadline per operation. For tests.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.door = match self.door {
            Door::Tcp(tcp) => Door::Tcp(tcp.with_deadline(deadline)),
            Door::Upstash(upstash) => Door::Upstash(upstash.with_deadline(deadline)),
        };
        self
    }

    /// The same behind a breaker: one failure, and every operation is [`CacheError::Away`] at once until Redis has
    /// answered a question in the background. `tell` hears of each change once.
    #[must_use]
    pub fn with_breaker(mut self, tell: impl Fn(Change) + Send + Sync + 'static) -> Self {
        self.breaker = Some(Breaker::new(tell));
        self
    }

    /// Whether nobody asks Redis at the moment.
    pub fn is_away(&self) -> bool {
        self.breaker.as_ref().is_some_and(Breaker::is_open)
    }

    /// Asks now whether Redis is back, where it is away: for work that comes too seldom to be told to come later.
    pub async fn knock(&self) {
        if let Some(breaker) = self.breaker.as_ref().filter(|breaker| breaker.is_open()) {
            breaker.look(&self.door).await;
        }
    }

    /// Upstash, if it is that.
    pub fn as_upstash(&self) -> Option<&UpstashCache> {
        match &self.door {
            Door::Tcp(_) => None,
            Door::Upstash(upstash) => Some(upstash),
        }
    }

    /// What stands before every key.
    pub fn prefix(&self) -> &str {
        match &self.door {
            Door::Tcp(tcp) => tcp.prefix(),
            Door::Upstash(upstash) => upstash.prefix(),
        }
    }

    /// One command.
    ///
    /// # Errors
    /// Any [`CacheError`].
    pub async fn command(&self, args: &[Arg]) -> Result<Reply, CacheError> {
        self.ask(self.door.command_by(args, self.door.deadline())).await
    }

    /// Several commands in one round trip, in order, not atomic: one may fail and the next still runs.
    ///
    /// # Errors
    /// Any [`CacheError`] that concerns all of them; inside the list, that of each command.
    pub async fn pipeline(&self, commands: &[Vec<Arg>]) -> Result<Vec<Result<Reply, CacheError>>, CacheError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        self.ask(self.door.pipeline(commands)).await
    }

    /// A script: one round trip where Redis knows it already, two where it has to be told.
    ///
    /// # Errors
    /// Any [`CacheError`].
    pub async fn eval(&self, script: &Script, keys: &[String], args: &[Arg]) -> Result<Reply, CacheError> {
        let deadline = self.door.deadline();
        let mut command = Vec::with_capacity(3 + keys.len() + args.len());
        command.push(Arg::from("EVALSHA"));
        command.push(Arg::from(script.sha1));
        command.push(Arg::from(keys.len().to_string()));
        command.extend(keys.iter().map(|key| Arg::from(key.as_str())));
        command.extend_from_slice(args);
        self.ask(async {
            match self.door.command_by(&command, deadline).await {
                Err(error) if error.is_unknown_script() => {
                    command[0] = Arg::from("EVAL");
                    command[1] = Arg::from(script.text);
                    self.door.command_by(&command, deadline).await
                }
                answered => answered,
            }
        })
        .await
    }

    /// Opens the connection ahead of the first command. A failure shows up there, not here.
    pub async fn warm(&self) {
        let deadline = Instant::now() + WARM_DEADLINE;
        match &self.door {
            Door::Tcp(tcp) => tcp.warm(deadline).await,
            Door::Upstash(upstash) => upstash.warm(deadline).await,
        }
    }

    /// Asks, unless Redis is known to be away. What is asked is not begun before this is awaited.
    async fn ask<T>(&self, question: impl Future<Output = Result<T, CacheError>>) -> Result<T, CacheError> {
        let Some(breaker) = &self.breaker else { return question.await };
        let generation = breaker.enter(&self.door).await?;
        let answer = question.await;
        breaker.heard(&self.door, generation, &answer);
        answer
    }
}

impl Door {
    async fn command_by(&self, args: &[Arg], deadline: Instant) -> Result<Reply, CacheError> {
        match self {
            Self::Tcp(tcp) => {
                let replies = tcp.run(&[args], deadline).await?;
                replies.into_iter().next().unwrap_or_else(|| Err(CacheError::Protocol("no reply".to_owned())))
            }
            Self::Upstash(upstash) => upstash.command(args, deadline).await,
        }
    }

    async fn pipeline(&self, commands: &[Vec<Arg>]) -> Result<Vec<Result<Reply, CacheError>>, CacheError> {
        match self {
            Self::Tcp(tcp) => tcp.run(commands, self.deadline()).await,
            Self::Upstash(upstash) => upstash.pipeline(commands, self.deadline()).await,
        }
    }

    /// Whether it answers.
    async fn ping(&self) -> Result<(), CacheError> {
        match self.command_by(&[Arg::from("PING")], self.deadline()).await {
            Err(error) if error.is_outage() => Err(error),
            _ => Ok(()),
        }
    }

    fn deadline(&self) -> Instant {
        let allowed = match self {
            Self::Tcp(tcp) => tcp.deadline(),
            Self::Upstash(upstash) => upstash.deadline(),
        };
        Instant::now() + allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_ever_printed() {
        let caches = [
            Cache::tcp("rediss://default:hunter2@example.com:6380/0", "p:").unwrap(),
            Cache::upstash("https://example.com", "hunter2", "p:").unwrap(),
        ];
        for cache in caches {
            assert!(!format!("{cache:?}").contains("hunter2"), "{cache:?}");
            assert_eq!(cache.prefix(), "p:");
        }
        for error in [
            Cache::tcp("http://u:hunter2@example.com", "").unwrap_err(),
            Cache::tcp("rediss://u:hunter2@exa mple", "").unwrap_err(),
            Cache::upstash("hunter2", "t", "").unwrap_err(),
            Cache::upstash("https://example.com", "hunter2\n", "").unwrap_err(),
        ] {
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
