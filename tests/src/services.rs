//! Where `tests/run` started the private Postgres, PgBouncer and Redis, and names that keep tests apart.

/// A variable that `tests/run` sets.
///
/// # Panics
/// Where it is missing, with what to do.
#[expect(clippy::disallowed_methods, reason = "the test runner talks to the tests through these")]
fn given(name: &str) -> String {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    #[expect(clippy::expect_used, reason = "a test without its services must fail, not pass")]
    value.expect("the services of the tests are not running: use tests/run, or `eval \"$(tests/services up)\"` first")
}

/// A superuser's URL of the private Postgres.
pub fn postgres_url() -> String {
    given("TEST_POSTGRES_URL")
}

/// The same database through PgBouncer in transaction mode.
pub fn pgbouncer_url() -> String {
    given("TEST_PGBOUNCER_URL")
}

/// The private Redis.
pub fn redis_url() -> String {
    given("TEST_REDIS_URL")
}

/// A name that no other test uses: for schemas, Redis prefixes, files. Letters, digits and `_` only.
pub fn unique(stem: &str) -> String {
    format!("{stem}_{}", uuid::Uuid::now_v7().simple())
}
