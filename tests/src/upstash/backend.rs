//! The real Redis behind the double.

use redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisError, Value, aio::MultiplexedConnection};

/// One connection that all requests share.
#[derive(Clone)]
pub(super) struct Backend(MultiplexedConnection);

/// What would change the shared connection for everybody; over REST they make no sense either.
const UNAVAILABLE: [&str; 14] = [
    "AUTH",
    "BLPOP",
    "BRPOP",
    "CLIENT",
    "DISCARD",
    "EXEC",
    "HELLO",
    "MONITOR",
    "MULTI",
    "QUIT",
    "SELECT",
    "SUBSCRIBE",
    "SYNC",
    "WATCH",
];

impl Backend {
    pub(super) async fn connect(url: &str) -> Result<Self, RedisError> {
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        Ok(Self(redis::Client::open(url)?.get_multiplexed_async_connection_with_config(&config).await?))
    }

    pub(super) async fn command(&self, args: &[Vec<u8>]) -> Result<Value, String> {
        let mut values = self.pipeline(&[args.to_vec()]).await?;
        values.pop().ok_or_else(|| "ERR no reply".to_owned())
    }

    pub(super) async fn pipeline(&self, commands: &[Vec<Vec<u8>>]) -> Result<Vec<Value>, String> {
        for name in commands.iter().filter_map(|args| args.first()) {
            let name = String::from_utf8_lossy(name).to_uppercase();
            if UNAVAILABLE.contains(&name.as_str()) {
                return Err(format!("ERR Command is not available: '{name}'"));
            }
        }
        self.send(commands).await
    }

    /// All or nothing: what `EXEC` gives back, or why it was discarded.
    pub(super) async fn multi_exec(&self, commands: &[Vec<Vec<u8>>]) -> Result<Vec<Value>, String> {
        let word = |word: &str| vec![vec![word.as_bytes().to_vec()]];
        let all = [word("MULTI"), commands.to_vec(), word("EXEC")].concat();
        match self.send(&all).await?.pop() {
            Some(Value::Array(values)) => Ok(values),
            Some(Value::ServerError(error)) => Err(text_of(&error)),
            _ => Err("EXECABORT Transaction discarded".to_owned()),
        }
    }

    /// In one write, so that no other request comes in between on the shared connection.
    async fn send(&self, commands: &[Vec<Vec<u8>>]) -> Result<Vec<Value>, String> {
        let mut pipeline = Pipeline::new();
        for args in commands {
            let mut command = Cmd::new();
            for arg in args {
                command.arg(arg.as_slice());
            }
            pipeline.add_command(command);
        }
        let sent = self.0.clone().send_packed_commands(&pipeline, 0, commands.len()).await;
        sent.map_err(|error| format!("ERR {error}"))
    }
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Backend")
    }
}

pub(super) fn text_of(error: &redis::ServerError) -> String {
    format!("{} {}", error.code(), error.details().unwrap_or_default())
}
