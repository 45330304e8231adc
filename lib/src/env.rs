//! Every environment variable, declared once. `.env.example`, the README and a test follow this list.

/// One variable.
#[derive(Debug)]
pub struct Var {
    /// Its name.
    pub name: &'static str,
    /// One sentence: what it does, and what happens without it.
    pub doc: &'static str,
    /// Never printed, logged or sent anywhere.
    pub secret: bool,
}

const fn var(name: &'static str, doc: &'static str) -> Var {
    Var { name, doc, secret: false }
}

const fn secret(name: &'static str, doc: &'static str) -> Var {
    Var { name, doc, secret: true }
}

/// Database.
pub const DATABASE_URL: Var = secret(
    "DATABASE_URL",
    "Postgres, postgres://USER:PASSWORD@HOST/DB (pooled is fine), or sqlite:PATH in development; without it a SQLite file in .purser/.",
);
/// The marketplace's other name for it.
pub const POSTGRES_URL: Var =
    secret("POSTGRES_URL", "Read when DATABASE_URL is absent: the name that marketplace integrations set.");
/// Direct connection for migrations.
pub const DATABASE_URL_UNPOOLED: Var =
    secret("DATABASE_URL_UNPOOLED", "Postgres without a pooler in between, for migrations; DATABASE_URL if absent.");
/// Pool size.
pub const DATABASE_POOL_MAX: Var =
    var("DATABASE_POOL_MAX", "Most Postgres connections of one function instance; 20 if absent.");
/// The database's own authorities.
pub const DATABASE_CA_CERT: Var = var(
    "DATABASE_CA_CERT",
    "The certificate of your Postgres provider's own authority, or several, as PEM, with line ends or `\\n` for them: TLS with a certificate of theirs is required then; Mozilla's list counts if absent.",
);
/// Redis over TCP.
pub const REDIS_URL: Var =
    secret("REDIS_URL", "Redis over TCP, redis:// or rediss://; used when no Upstash REST URL is set.");
/// Redis's own authorities.
pub const REDIS_CA_CERT: Var =
    var("REDIS_CA_CERT", "The same for Redis over TCP, which must be rediss:// then; Mozilla's list counts if absent.");
/// The marketplace's other name for it.
pub const KV_URL: Var = secret("KV_URL", "Read when REDIS_URL is absent: the name that marketplace integrations set.");
/// Upstash REST.
pub const UPSTASH_REDIS_REST_URL: Var =
    var("UPSTASH_REDIS_REST_URL", "Upstash Redis over REST; preferred over REDIS_URL when both are set.");
/// Its token.
pub const UPSTASH_REDIS_REST_TOKEN: Var = secret("UPSTASH_REDIS_REST_TOKEN", "The token of UPSTASH_REDIS_REST_URL.");
/// The marketplace's other name.
pub const KV_REST_API_URL: Var =
    var("KV_REST_API_URL", "Read when UPSTASH_REDIS_REST_URL is absent: the name that marketplace integrations set.");
/// Its token.
pub const KV_REST_API_TOKEN: Var = secret("KV_REST_API_TOKEN", "The token of KV_REST_API_URL.");
/// Prefix of every Redis key.
pub const REDIS_PREFIX: Var = var(
    "REDIS_PREFIX",
    "Put before every Redis key, so that several deployments can share one Redis; empty if absent.",
);
/// Deadline of Redis.
pub const REDIS_DEADLINE_MS: Var =
    var("REDIS_DEADLINE_MS", "How long an answer of Redis is waited for, in milliseconds; 200 if absent.");
/// Sentry's address.
pub const SENTRY_DSN: Var = secret(
    "SENTRY_DSN",
    "Where faults are reported besides the log, https://KEY@HOST/PROJECT as Sentry's page shows it; nowhere if absent.",
);
/// How many instances run at once.
pub const EXPECTED_INSTANCES: Var = var(
    "EXPECTED_INSTANCES",
    "How many instances run at once, about: while Redis is away each allows this part of a plan's requests and slots; 4 if absent.",
);
/// Who is told of an outage.
pub const ALERT_WEBHOOK_URL: Var = secret(
    "ALERT_WEBHOOK_URL",
    "Where a POST with JSON tells that Redis went away or came back, or that a budget was overspent, such as a Slack webhook; nobody is told if absent.",
);
/// Claude's key.
pub const CLAUDE_API_KEY: Var = secret(
    "CLAUDE_API_KEY",
    "The key of Claude's API; without it `cargo run` answers with a built-in stand-in and a deployment refuses to chat.",
);
/// The other name for it.
pub const ANTHROPIC_API_KEY: Var = secret("ANTHROPIC_API_KEY", "Read when CLAUDE_API_KEY is absent.");
/// Claude's address.
pub const CLAUDE_BASE_URL: Var = var("CLAUDE_BASE_URL", "Where Claude's API is; https://api.anthropic.com if absent.");
/// Allow-list.
pub const CLAUDE_MODELS: Var = var(
    "CLAUDE_MODELS",
    "Comma-separated models that this deployment may use; every model that a plan names if absent.",
);
/// The deployment's budget.
pub const CLAUDE_BUDGET_DAY_USD: Var =
    var("CLAUDE_BUDGET_DAY_USD", "Most that all calls together may cost in a UTC day, such as 25; no limit if absent.");
/// The deployment's budget.
pub const CLAUDE_BUDGET_MONTH_USD: Var = var(
    "CLAUDE_BUDGET_MONTH_USD",
    "Most that all calls together may cost in a UTC month, such as 500; no limit if absent.",
);
/// Budgets of plans.
pub const PLAN_BUDGETS_USD: Var = var(
    "PLAN_BUDGETS_USD",
    "Budgets of plans over those of lib/plans.toml: PLAN.user-day, user-month (each caller), plan-day, plan-month (all together), such as free.user-day=0.50,anonymous.plan-day=2.",
);
/// Age of a dead call.
pub const RECONCILE_AFTER_S: Var = var(
    "RECONCILE_AFTER_S",
    "Seconds after which a call that nobody has settled counts as dead and is settled at its ceiling; 300 if absent: the longest a function may run.",
);
/// Stripe's key.
pub const STRIPE_SECRET_KEY: Var =
    secret("STRIPE_SECRET_KEY", "Stripe's secret or restricted key, sk_… or rk_…; without it nothing is sold.");
/// Stripe's webhook secret.
pub const STRIPE_WEBHOOK_SECRET: Var = secret(
    "STRIPE_WEBHOOK_SECRET",
    "The signing secret whsec_… of the webhook endpoint, or several, comma-separated; without it Stripe's events are refused.",
);
/// What is sold.
pub const STRIPE_PRICE_PRO: Var = var(
    "STRIPE_PRICE_PRO",
    "The recurring price price_… of the pro plan, or several, comma-separated: the first is sold, all of them count; without it nothing is sold.",
);
/// Stripe's address.
pub const STRIPE_BASE_URL: Var = var("STRIPE_BASE_URL", "Where Stripe's API is; https://api.stripe.com if absent.");
/// JWT key.
pub const JWT_SECRET: Var = secret(
    "JWT_SECRET",
    "Signs and verifies tokens (HS256), API keys and cookies, 32 bytes or more; several with commas between them: the first signs, all verify. Required on Vercel, made up and kept in .purser/ in development.",
);
/// JWT issuer.
pub const JWT_ISSUER: Var = var("JWT_ISSUER", "The `iss` that a bearer token must carry; `purser` if absent.");
/// JWT audience.
pub const JWT_AUDIENCE: Var = var("JWT_AUDIENCE", "The `aud` that a bearer token must carry; `purser` if absent.");
/// Identity provider's keys.
pub const JWT_JWKS_URL: Var = var(
    "JWT_JWKS_URL",
    "Where your identity provider (Clerk, Auth0, Supabase, …) has its public keys; its tokens are taken then (RS256, ES256).",
);
/// Identity provider's name.
pub const JWT_JWKS_ISSUER: Var =
    var("JWT_JWKS_ISSUER", "The `iss` of your identity provider's tokens; required with JWT_JWKS_URL.");
/// Identity provider's audience.
pub const JWT_JWKS_AUDIENCE: Var =
    var("JWT_JWKS_AUDIENCE", "The `aud` of your identity provider's tokens; not looked at if absent.");
/// CORS.
pub const ALLOWED_ORIGINS: Var = var(
    "ALLOWED_ORIGINS",
    "Comma-separated origins that browsers may call from, such as https://app.example; none but the same origin if absent.",
);
/// Proxy trust.
pub const TRUST_PROXY: Var = var(
    "TRUST_PROXY",
    "1: off Vercel, believe x-real-ip, else the last hop of x-forwarded-for; otherwise only the socket counts.",
);
/// Admin secret.
pub const ADMIN_SECRET: Var =
    secret("ADMIN_SECRET", "Bearer secret of GET /api/cron/health; without it the deep check is off.");
/// Cron secret.
pub const CRON_SECRET: Var = secret(
    "CRON_SECRET",
    "Bearer secret of GET /api/cron/reconcile and /api/cron/cleanup, which Vercel's cron sends by itself; without it cron is off.",
);
/// Port of `purser serve`.
pub const PORT: Var = var("PORT", "Where `cargo run` listens; 3000 if absent.");
/// Deployment stage.
pub const VERCEL_ENV: Var = var(
    "VERCEL_ENV",
    "Set by Vercel: production, preview or development. In production a missing Postgres, Redis or JWT secret refuses to start.",
);
/// On Vercel.
pub const VERCEL: Var = var("VERCEL", "Set by Vercel: 1 there. Decides whose client address is believed.");
/// `vercel dev`.
pub const VERCEL_DEV: Var = var("VERCEL_DEV", "Set by `vercel dev`: 1 there.");
/// Release.
pub const VERCEL_GIT_COMMIT_SHA: Var =
    var("VERCEL_GIT_COMMIT_SHA", "Set by Vercel: the commit, shown by GET /api/health.");

/// The protection that the prover's tests take away. Not for users, so in no list.
#[cfg(debug_assertions)]
pub const PURSER_SABOTAGE: Var = var("PURSER_SABOTAGE", "For the prover's tests, in debug builds.");
/// How far the clock is off. Not for users, so in no list.
#[cfg(debug_assertions)]
pub const PURSER_CLOCK_STEP_MS: Var = var("PURSER_CLOCK_STEP_MS", "For the prover, in debug builds.");

/// A file that says how far the store's clock is off. Not for users, so in no list.
#[cfg(debug_assertions)]
pub const PURSER_STORE_CLOCK: Var = var("PURSER_STORE_CLOCK", "For tests, in debug builds.");
/// What becomes of calls whose client leaves, on every plan. Not for users, so in no list.
#[cfg(debug_assertions)]
pub const PURSER_HANG_UP: Var = var("PURSER_HANG_UP", "For tests, in debug builds.");

/// All of them, in the order of the documentation.
pub const VARS: &[&Var] = &[
    &DATABASE_URL,
    &POSTGRES_URL,
    &DATABASE_URL_UNPOOLED,
    &DATABASE_POOL_MAX,
    &DATABASE_CA_CERT,
    &REDIS_URL,
    &KV_URL,
    &REDIS_CA_CERT,
    &UPSTASH_REDIS_REST_URL,
    &UPSTASH_REDIS_REST_TOKEN,
    &KV_REST_API_URL,
    &KV_REST_API_TOKEN,
    &REDIS_PREFIX,
    &REDIS_DEADLINE_MS,
    &EXPECTED_INSTANCES,
    &ALERT_WEBHOOK_URL,
    &SENTRY_DSN,
    &CLAUDE_API_KEY,
    &ANTHROPIC_API_KEY,
    &CLAUDE_BASE_URL,
    &CLAUDE_MODELS,
    &CLAUDE_BUDGET_DAY_USD,
    &CLAUDE_BUDGET_MONTH_USD,
    &PLAN_BUDGETS_USD,
    &RECONCILE_AFTER_S,
    &STRIPE_SECRET_KEY,
    &STRIPE_WEBHOOK_SECRET,
    &STRIPE_PRICE_PRO,
    &STRIPE_BASE_URL,
    &JWT_SECRET,
    &JWT_ISSUER,
    &JWT_AUDIENCE,
    &JWT_JWKS_URL,
    &JWT_JWKS_ISSUER,
    &JWT_JWKS_AUDIENCE,
    &ALLOWED_ORIGINS,
    &TRUST_PROXY,
    &ADMIN_SECRET,
    &CRON_SECRET,
    &PORT,
    &VERCEL_ENV,
    &VERCEL,
    &VERCEL_DEV,
    &VERCEL_GIT_COMMIT_SHA,
];

/// The variable's value; an empty one counts as absent.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn get(var: &Var) -> Option<String> {
    std::env::var(var.name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// The first of several variables that is set.
pub fn first(vars: &[&Var]) -> Option<String> {
    vars.iter().find_map(|var| get(var))
}
