//! A deployment of one scenario: its own schema, Redis prefix and stand-in, and as many processes as it wants.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use purser::{
    cache::{Arg, Cache},
    env, ids,
    store::{PostgresOptions, Store},
};
use tokio::{task::JoinSet, time::timeout};
use tokio_postgres::NoTls;

use super::{coming::Coming, errand::Errand, process::Process, stage::Stage, token, witness::Witness};
use crate::{
    serve::{environment::Environment, instance::Launch, lines::Lines},
    standin::{self, Standin},
};

/// The deployment's budget of a day, in USD.
pub(super) const BUDGET_DAY: &str = env::CLAUDE_BUDGET_DAY_USD.name;
/// The deployment's budget of a month, in USD.
pub(super) const BUDGET_MONTH: &str = env::CLAUDE_BUDGET_MONTH_USD.name;
/// A Redis that does not answer is given up as soon as in production.
pub(super) const REDIS_IS_MISSED: (&str, &str) = (env::REDIS_DEADLINE_MS.name, "200");
/// What signs the tokens of a run, which ends before anybody could use them.
const JWT_SECRET: &str = "a secret of the prover that is long enough for HS256";
const CRON_SECRET: &str = "a secret of the prover for cron";
const STANDIN_KEY: &str = "standin";
/// A gate that is not reached after this time never will be.
const GATE: Duration = Duration::from_secs(15);

/// A deployment.
pub(super) struct Deployment {
    pub(super) claude: Standin,
    postgres_url: String,
    schema: String,
    pub(super) store: Store,
    pub(super) cache: Cache,
    pub(super) witness: Arc<Witness>,
    /// What its functions are told.
    pub(super) vars: Vec<(String, String)>,
    functions: Vec<String>,
    root: PathBuf,
    bin_dir: PathBuf,
    sockets: PathBuf,
    lines: Lines,
    processes: Mutex<Vec<Arc<Process>>>,
}

impl Deployment {
    pub(super) async fn create(stage: &Stage, vars: &[(&str, &str)]) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        let options = standin::Options { port: 0, key: Some(STANDIN_KEY.to_owned()) };
        let claude = Standin::start(options).map_err(|error| failed(&error))?;
        let name = format!("prove_{}", ids::new_id().replace('-', ""));
        let postgres_url = stage.backing.postgres_url().to_owned();
        execute(&postgres_url, &format!("create schema {name}")).await?;
        let database_url = within(&postgres_url, &name);
        let prefix = format!("{name}:");
        let store = Store::postgres(&database_url, PostgresOptions::default()).map_err(|error| failed(&error))?;
        store.migrate().await.map_err(|error| failed(&error))?;
        let cache = Cache::tcp(stage.backing.redis_url(), &prefix).map_err(|error| failed(&error))?;
        let given = [
            (env::DATABASE_URL.name, database_url.as_str()),
            (env::REDIS_URL.name, stage.backing.redis_url()),
            (env::REDIS_PREFIX.name, prefix.as_str()),
            // A busy machine is no outage. Where Redis is to be missed, the scenario says so.
            (env::REDIS_DEADLINE_MS.name, "5000"),
            (env::CLAUDE_BASE_URL.name, &claude.base_url()),
            (env::CLAUDE_API_KEY.name, STANDIN_KEY),
            (env::JWT_SECRET.name, JWT_SECRET),
            ("CRON_SECRET", CRON_SECRET),
            ("PURSER_SABOTAGE", stage.sabotage.as_deref().unwrap_or_default()),
        ];
        let vars = given.iter().chain(vars).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Ok(Self {
            claude,
            postgres_url,
            schema: name,
            store,
            cache: cache.with_deadline(Duration::from_secs(5)),
            witness: Arc::default(),
            vars,
            functions: stage.functions.clone(),
            root: stage.root.clone(),
            bin_dir: stage.bin_dir.clone(),
            sockets: stage.sockets.clone(),
            lines: stage.lines.clone(),
            processes: Mutex::default(),
        })
    }

    /// Starts a function's process, with variables of its own.
    pub(super) async fn start_with(&self, function: &str, vars: &[(&str, &str)]) -> Result<Arc<Process>, String> {
        let more = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let launch = Launch {
            name: function.to_owned(),
            bin: self.bin_dir.join(function),
            root: self.root.clone(),
            sockets: self.sockets.clone(),
            environment: Environment::only(self.vars.iter().cloned().chain(more)),
            lines: self.lines.clone(),
        };
        let process = Arc::new(Process::start(&launch, self.witness.clone()).await?);
        self.processes.lock().unwrap_or_else(PoisonError::into_inner).push(process.clone());
        Ok(process)
    }

    /// Starts a function's process.
    pub(super) async fn start(&self, function: &str) -> Result<Arc<Process>, String> {
        self.start_with(function, &[]).await
    }

    /// Starts several processes of a function.
    pub(super) async fn start_many(&self, function: &str, count: usize) -> Result<Vec<Arc<Process>>, String> {
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(self.start(function).await?);
        }
        Ok(all)
    }

    /// Makes a call.
    pub(super) async fn call(&self, process: &Process, errand: &Errand) -> Option<Coming> {
        process.call(errand, &token::mint(JWT_SECRET, &errand.user, errand.plan)).await
    }

    /// Makes a call and reads its answer to the end; true where the answer was whole.
    pub(super) async fn complete(&self, process: &Process, errand: &Errand) -> bool {
        let Some(coming) = self.call(process, errand).await else { return false };
        let answer = coming.rest().await;
        self.witness.note(&errand.label, |seen| {
            seen.is_over = true;
            seen.code = if answer.status == 200 { None } else { answer.code() };
        });
        answer.is_whole()
    }

    /// Makes calls at the same time, each of its process, and reads all answers; how many were whole.
    pub(super) async fn complete_all(self: &Arc<Self>, calls: Vec<(Arc<Process>, Errand)>) -> usize {
        let mut running = JoinSet::new();
        for (process, errand) in calls {
            let deployment = self.clone();
            running.spawn(async move { deployment.complete(&process, &errand).await });
        }
        running.join_all().await.into_iter().filter(|is_whole| *is_whole).count()
    }

    /// Waits until a call has come to the gate that is named after it; false where it was over before.
    pub(super) async fn reached(&self, label: &str) -> bool {
        let came = async {
            tokio::select! {
                () = self.claude.gate_reached(label) => true,
                () = self.witness.is_over(label) => false,
            }
        };
        timeout(GATE, came).await.unwrap_or(false)
    }

    /// How many of these calls stand at their gates, once all have come there or are over.
    pub(super) async fn standing(&self, labels: &[String]) -> usize {
        let mut standing = 0;
        for label in labels {
            standing += usize::from(self.reached(label).await);
        }
        standing
    }

    /// Ends all processes in good order, so that the work behind every call is over.
    pub(super) async fn close(&self) {
        let processes = std::mem::take(&mut *self.processes.lock().unwrap_or_else(PoisonError::into_inner));
        let mut ending = JoinSet::new();
        for process in processes {
            ending.spawn(async move { process.terminate().await });
        }
        ending.join_all().await;
    }

    /// Forgets all that Redis keeps of the deployment, and nothing of anybody else's.
    pub(super) async fn empty_redis(&self) -> Result<(), String> {
        const SCRIPT: &str =
            "for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do redis.call('DEL', key) end return 1";
        let command = ["EVAL", SCRIPT, "0", self.cache.prefix()].map(Arg::from);
        self.cache.command(&command).await.map(drop).map_err(|error| format!("Redis cannot be emptied: {error}"))
    }

    /// Leaves nothing behind.
    pub(super) async fn remove(&self) -> Result<(), String> {
        self.empty_redis().await?;
        execute(&self.postgres_url, &format!("drop schema {} cascade", self.schema)).await
    }

    /// The function that is cron's, if the project has one.
    pub(super) fn cron_function(&self) -> Option<&str> {
        self.functions.iter().map(String::as_str).find(|name| name.starts_with("cron"))
    }

    /// Asks cron's function for a job.
    pub(super) async fn cron(&self, process: &Process, job: &str) -> Result<(), String> {
        let (status, text) = process.ask(&format!("/api/cron/{job}"), CRON_SECRET).await?;
        if status == 200 { Ok(()) } else { Err(format!("cron's {job} answered {status}: {text}")) }
    }
}

/// The URL of a schema.
fn within(url: &str, schema: &str) -> String {
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}options=-csearch_path%3D{schema}")
}

async fn execute(url: &str, sql: &str) -> Result<(), String> {
    let failed = |error: tokio_postgres::Error| format!("Postgres: {error}");
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.map_err(failed)?;
    let connection = crate::background::start(connection);
    client.batch_execute(sql).await.map_err(failed)?;
    drop(client);
    let _ = connection.await;
    Ok(())
}
