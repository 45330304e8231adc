//! A whole deployment for one test: its own schema, Redis prefix or file, its own stand-in for Claude, and its
//! functions, started when they are first asked.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use purser::store::{PostgresOptions, Store};
use purser_cli::standin::{Options, Standin};
use serde_json::Value;

use crate::{
    function::Function,
    http::{Call, Reply},
    services,
    upstash::UpstashDouble,
};

/// What tokens are signed with.
pub const JWT_SECRET: &str = "a secret of the tests that is long enough for HS256";

/// Where limits and usage hashes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// Redis over TCP.
    Redis,
    /// Redis behind the Upstash double.
    Upstash,
    /// The SQLite file, with the store.
    Sqlite,
}

/// A deployment.
pub struct Deployment {
    /// The stand-in behind it.
    pub claude: Standin,
    /// What its functions are told.
    pub environment: BTreeMap<String, String>,
    /// Its store, as the functions see it.
    pub store: Store,
    /// What stands before its Redis keys.
    pub prefix: String,
    functions: Mutex<BTreeMap<String, Arc<Function>>>,
    folder: PathBuf,
    /// The double of Upstash, where that is the cache.
    pub upstash: Option<UpstashDouble>,
}

impl Deployment {
    /// Postgres and Redis, as in production.
    pub async fn new() -> Self {
        Self::with(Cache::Redis).await
    }

    /// With a cache of one's choice; the store follows it.
    ///
    /// # Panics
    /// Where the services are not running.
    pub async fn with(cache: Cache) -> Self {
        let claude = Standin::start(Options { port: 0, key: Some("sk-standin".to_owned()) }).unwrap();
        let name = services::unique("deployment");
        let folder = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut environment = BTreeMap::from([
            ("CLAUDE_BASE_URL".to_owned(), claude.base_url()),
            ("CLAUDE_API_KEY".to_owned(), "sk-standin".to_owned()),
            ("JWT_SECRET".to_owned(), JWT_SECRET.to_owned()),
            ("ADMIN_SECRET".to_owned(), "the admin secret".to_owned()),
            ("CRON_SECRET".to_owned(), "the cron secret".to_owned()),
            ("TRUST_PROXY".to_owned(), "1".to_owned()),
            // A busy machine must not look like an outage.
            ("REDIS_DEADLINE_MS".to_owned(), "5000".to_owned()),
            ("REDIS_PREFIX".to_owned(), format!("{name}:")),
        ]);
        let mut double = None;
        let store = if cache == Cache::Sqlite {
            let path = folder.join("purser.sqlite");
            environment.insert("DATABASE_URL".to_owned(), format!("sqlite:{}", path.display()));
            Store::sqlite(purser::sqlite::Sqlite::open(&path).unwrap())
        } else {
            let url = schema(&name).await;
            environment.insert("DATABASE_URL".to_owned(), url.clone());
            Store::postgres(&url, PostgresOptions::default()).unwrap()
        };
        match cache {
            Cache::Redis => drop(environment.insert("REDIS_URL".to_owned(), services::redis_url())),
            Cache::Upstash => {
                let upstash = UpstashDouble::start(&services::redis_url()).await.unwrap();
                environment.insert("UPSTASH_REDIS_REST_URL".to_owned(), upstash.url().to_owned());
                environment.insert("UPSTASH_REDIS_REST_TOKEN".to_owned(), upstash.token().to_owned());
                double = Some(upstash);
            }
            Cache::Sqlite => {}
        }
        store.migrate().await.unwrap();
        let prefix = format!("{name}:");
        Self { claude, environment, store, prefix, functions: Mutex::default(), folder, upstash: double }
    }

    /// Sets a variable for functions that start from here on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// Ends all functions; from here on they are started with other variables.
    ///
    /// # Panics
    /// Never: nobody panics while holding the lock.
    pub fn restart_with(&mut self, environment: BTreeMap<String, String>) {
        self.functions.lock().unwrap().clear();
        self.environment = environment;
    }

    /// Another instance of a function, with one variable of its own.
    pub fn instance(&self, name: &str, variable: &str, value: &str) -> Arc<Function> {
        let mut environment = self.environment.clone();
        environment.insert(variable.to_owned(), value.to_owned());
        Arc::new(Function::start(name, &environment))
    }

    /// A function, started on first use.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn function(&self, name: &str) -> Arc<Function> {
        let mut functions = self.functions.lock().unwrap();
        functions.entry(name.to_owned()).or_insert_with(|| Arc::new(Function::start(name, &self.environment))).clone()
    }

    /// Ends a function, so that its next call starts it with the environment of then.
    pub fn restart(&self, name: &str) {
        self.functions.lock().unwrap().remove(name);
    }

    /// A call of a route's function.
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self.function(function_of(path)), method, path)
    }

    /// `POST /api/v1/messages` by a caller, not streamed, with a prompt of a few words.
    pub async fn message(&self, token: &str, max_tokens: u64) -> Reply {
        let body = serde_json::json!({
            "model": "claude-haiku-5-5",
            "max_tokens": max_tokens,
            "messages": [{ "role": "user", "content": "Hi" }],
        });
        self.call("POST", "/api/v1/messages").bearer(token).json(&body).send().await
    }

    /// `GET /api/cron/reconcile`, as cron sends it.
    pub async fn reconcile(&self) -> Value {
        let reply = self.call("GET", "/api/cron/reconcile").bearer("the cron secret").send().await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    }

    /// Forgets everything in Redis, as one does that is restarted empty.
    ///
    /// # Panics
    /// Where Redis does not answer.
    pub async fn empty_redis(&self) {
        let client = redis::Client::open(services::redis_url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let keys: Vec<String> =
            redis::cmd("KEYS").arg(format!("{}*", self.prefix)).query_async(&mut connection).await.unwrap();
        assert!(!keys.is_empty(), "there is nothing to forget");
        redis::cmd("DEL").arg(keys).exec_async(&mut connection).await.unwrap();
    }

    /// `POST /api/chat` by a caller, answered as JSON.
    pub async fn chat(&self, token: &str, body: Value) -> Reply {
        self.call("POST", "/api/chat").bearer(token).header("accept", "application/json").json(&body).send().await
    }

    /// The ledger's rows of a caller, oldest first: state, outcome, source, cost, input, output.
    ///
    /// # Panics
    /// Where the store does not answer.
    pub async fn ledger(&self) -> Vec<LedgerRow> {
        let sql = "select state, outcome, source, cost_nanousd, input_tokens, output_tokens, ceiling_nanousd, owner, \
                   is_client_gone, error_code from calls order by created_ms, id";
        let rows = self.store.rows(purser::store::Statement::new(sql, [])).await.unwrap();
        rows.iter()
            .map(|row| LedgerRow {
                state: row.text(0).unwrap(),
                outcome: row.text_opt(1).unwrap(),
                source: row.text_opt(2).unwrap(),
                cost_nanousd: row.int_opt(3).unwrap(),
                input_tokens: row.int(4).unwrap(),
                output_tokens: row.int(5).unwrap(),
                ceiling_nanousd: row.int(6).unwrap(),
                owner: row.text(7).unwrap(),
                is_client_gone: row.int(8).unwrap() == 1,
                error_code: row.text_opt(9).unwrap(),
            })
            .collect()
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        self.functions.lock().unwrap().clear();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A row of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// `reserved` or `settled`.
    pub state: String,
    /// How it ended.
    pub outcome: Option<String>,
    /// Where its figures come from.
    pub source: Option<String>,
    /// What it cost.
    pub cost_nanousd: Option<i64>,
    /// Uncached prompt tokens.
    pub input_tokens: i64,
    /// Output tokens.
    pub output_tokens: i64,
    /// Its hold.
    pub ceiling_nanousd: i64,
    /// Whose it is.
    pub owner: String,
    /// Whether the client had left.
    pub is_client_gone: bool,
    /// What went wrong.
    pub error_code: Option<String>,
}

/// The function behind a path.
///
/// # Panics
/// Where there is none.
pub fn function_of(path: &str) -> &'static str {
    let path = path.split('?').next().unwrap_or_default();
    match path {
        "/api/health" => "health",
        "/api/auth/account" => "auth-account",
        "/api/auth/session" => "auth-session",
        "/api/chat" => "chat",
        _ if path.starts_with("/api/chat/") => "chat",
        "/api/usage" => "usage",
        _ if path.starts_with("/api/v1/") => "v1-messages",
        "/api/billing/checkout" => "billing-checkout",
        "/api/billing/webhook" => "billing-webhook",
        "/api/conversations" => "conversations",
        _ if path.starts_with("/api/conversations/") => "conversations-id",
        _ if path.starts_with("/api/cron/") => "cron-job",
        other => panic!("no function serves {other}"),
    }
}

/// Makes a schema and gives a URL that works in it.
///
/// # Panics
/// Where Postgres does not answer.
pub async fn schema(name: &str) -> String {
    let url = services::postgres_url();
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(&format!("create schema {name}")).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    format!("{url}?options=-csearch_path%3D{name}")
}
