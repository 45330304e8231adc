//! Redis over TCP: one multiplexed connection, opened on first use and again when it died.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, TlsCertificates, Value,
    aio::MultiplexedConnection,
};
use tokio::time::{Instant, timeout_at};

use super::{Arg, CacheError, DEADLINE, Reply};
use crate::{clock, net, net::Authorities};

/// A handshake that takes longer is given up and started anew.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that lay unused for longer is not trusted: while a function is frozen nobody answers keep-alives,
/// so routers and servers drop the socket without a word. By the wall clock, for timers stand still meanwhile.
const IDLE_MS: i64 = 60_000;

type Connecting = Shared<BoxFuture<'static, Result<MultiplexedConnection, CacheError>>>;

/// Redis over TCP. See [`super::Cache`].
#[derive(Clone)]
pub struct TcpCache {
    client: Arc<Client>,
    prefix: Arc<str>,
    deadline: Duration,
    slot: Arc<Mutex<Slot>>,
}

/// The current connection, or the handshake that leads to one. The handshake is shared: whoever runs out of time
/// leaves it to the next, so that a slow one is finished and not begun again by every call.
#[derive(Default)]
struct Slot {
    connecting: Option<Connecting>,
    generation: u64,
    used_ms: i64,
}

impl TcpCache {
    pub(super) fn new(url: &str, prefix: &str, authorities: Option<&Authorities>) -> Result<Self, CacheError> {
        let bad = || CacheError::Address("it must look like redis://USER:PASSWORD@HOST:PORT or rediss://…");
        let info: ConnectionInfo = url.into_connection_info().map_err(|_| bad())?;
        let tcp = info.tcp_settings().clone().set_nodelay(true);
        // CLIENT SETINFO would be two billed commands a connection.
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        let info = info.set_tcp_settings(tcp).set_redis_settings(settings);
        let client = match authorities {
            None => Client::open(info),
            Some(authorities) => {
                let root_cert = Some(authorities.pem().as_bytes().to_vec());
                Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })
            }
        };
        let client = client.map_err(|_| bad())?;
        Ok(Self { client: Arc::new(client), prefix: prefix.into(), deadline: DEADLINE, slot: Arc::default() })
    }

    pub(super) fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    pub(super) async fn warm(&self, deadline: Instant) {
        let (connecting, generation) = self.connection();
        if let Ok(Err(_)) = timeout_at(deadline, connecting).await {
            self.forget(generation);
        }
    }

    /// Sends commands in one go and gives back their answers in order.
    pub(super) async fn run<C: AsRef<[Arg]>>(
        &self,
        commands: &[C],
        deadline: Instant,
    ) -> Result<Vec<Result<Reply, CacheError>>, CacheError> {
        let pipeline = pack(commands);
        match self.attempt(&pipeline, commands.len(), deadline).await {
            Err(Broken::InUse(_)) => self.attempt(&pipeline, commands.len(), deadline).await,
            answered => answered,
        }
        .map_err(|broken| match broken {
            Broken::InUse(error) | Broken::Final(error) => error,
        })
    }

    async fn attempt(
        &self,
        pipeline: &redis::Pipeline,
        count: usize,
        deadline: Instant,
    ) -> Result<Vec<Result<Reply, CacheError>>, Broken> {
        let (connecting, generation) = self.connection();
        let mut connection = match timeout_at(deadline, connecting).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                self.forget(generation);
                return Err(Broken::Final(error));
            }
            Err(_) => return Err(Broken::Final(CacheError::Deadline)),
        };
        match timeout_at(deadline, connection.send_packed_commands(pipeline, 0, count)).await {
            Ok(Ok(values)) => Ok(values.into_iter().map(reply).collect()),
            Ok(Err(error)) if error.is_io_error() || error.is_unrecoverable_error() => {
                self.forget(generation);
                Err(Broken::InUse(cache_error(&error)))
            }
            Ok(Err(error)) => Err(Broken::Final(cache_error(&error))),
            Err(_) => {
                // Perhaps Redis is slow, perhaps the socket is dead: the next call finds out on a new one.
                self.forget(generation);
                Err(Broken::Final(CacheError::Deadline))
            }
        }
    }

    fn connection(&self) -> (Connecting, u64) {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::now_ms();
        let stale = now.saturating_sub(slot.used_ms) > IDLE_MS;
        slot.used_ms = now;
        match &slot.connecting {
            Some(connecting) if !stale => (connecting.clone(), slot.generation),
            _ => {
                let connecting = connect(Client::clone(&self.client)).boxed().shared();
                slot.connecting = Some(connecting.clone());
                slot.generation += 1;
                (connecting, slot.generation)
            }
        }
    }

    fn forget(&self, generation: u64) {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.generation == generation {
            slot.connecting = None;
        }
    }
}

/// Why an attempt failed, and whether another one makes sense.
enum Broken {
    /// A connection that had been made broke under the command.
    InUse(CacheError),
    Final(CacheError),
}

async fn connect(client: Client) -> Result<MultiplexedConnection, CacheError> {
    // The redis crate takes the process's default provider; a second call is refused and does no harm.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_TIMEOUT)).set_response_timeout(None);
    client.get_multiplexed_async_connection_with_config(&config).await.map_err(|error| cache_error(&error))
}

fn pack<C: AsRef<[Arg]>>(commands: &[C]) -> redis::Pipeline {
    let mut pipeline = redis::Pipeline::with_capacity(commands.len());
    for args in commands {
        let mut command = redis::Cmd::new();
        for Arg(arg) in args.as_ref() {
            command.arg(arg.as_bytes());
        }
        pipeline.add_command(command);
    }
    pipeline
}

fn reply(value: Value) -> Result<Reply, CacheError> {
    Ok(match value {
        Value::Nil => Reply::Nil,
        Value::Int(number) => Reply::Int(number),
        Value::BulkString(bytes) => Reply::Text(bytes),
        Value::SimpleString(text) => Reply::Text(text.into_bytes()),
        Value::Okay => Reply::Text(b"OK".to_vec()),
        Value::Array(values) => Reply::List(values.into_iter().map(reply).collect::<Result<_, _>>()?),
        Value::ServerError(error) => {
            let text = format!("{} {}", error.code(), error.details().unwrap_or_default());
            return Err(CacheError::from_server(&text));
        }
        _ => return Err(CacheError::Protocol("a RESP3 value on a RESP2 connection".to_owned())),
    })
}

fn cache_error(error: &redis::RedisError) -> CacheError {
    match error.code() {
        _ if error.kind() == redis::ErrorKind::AuthenticationFailed => CacheError::Auth,
        Some(code) => CacheError::from_server(&format!("{code} {}", error.detail().unwrap_or_default())),
        None if error.is_timeout() => CacheError::Deadline,
        None => CacheError::Unreachable(net::certificate_fault(error).unwrap_or(error.category()).to_owned()),
    }
}

impl fmt::Debug for TcpCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.client.get_connection_info().addr();
        f.debug_struct("TcpCache").field("address", &address.to_string()).field("prefix", &self.prefix).finish()
    }
}
