//! What is said at the start: where it is, and what is in use.

use std::net::SocketAddr;

use purser::env;

use super::{environment::Environment, project::Project};
use crate::{Terminal, standin::Standin};

pub(super) fn print(
    project: &Project,
    environment: &Environment,
    standin: Option<&Standin>,
    address: SocketAddr,
    terminal: Terminal,
) {
    for note in &project.notes {
        terminal.error(note);
    }
    let names: Vec<&str> = project.functions.iter().map(|spec| spec.name.as_str()).collect();
    terminal.line(format_args!("Purser: http://localhost:{}", address.port()));
    terminal.line(format_args!("  functions  {}", names.join(", ")));
    terminal.line(format_args!("  store      {}", store(environment)));
    terminal.line(format_args!("  limits     {}", limits(environment)));
    terminal.line(format_args!("  Claude     {}", claude(environment, standin)));
}

fn store(environment: &Environment) -> String {
    let url = environment.get(&env::DATABASE_URL).or_else(|| environment.get(&env::POSTGRES_URL));
    match url {
        None => "SQLite file in .purser/ (set DATABASE_URL for Postgres)".to_owned(),
        Some(url) => match url.strip_prefix("sqlite:") {
            Some(path) => format!("SQLite file {path}"),
            None => format!("Postgres at {}", host(&url)),
        },
    }
}

fn limits(environment: &Environment) -> String {
    let get = |one, other| environment.get(one).or_else(|| environment.get(other));
    if let Some(url) = get(&env::UPSTASH_REDIS_REST_URL, &env::KV_REST_API_URL) {
        return format!("Upstash REST at {}", host(&url));
    }
    match get(&env::REDIS_URL, &env::KV_URL) {
        Some(url) => format!("Redis at {}", host(&url)),
        None => "SQLite file (set REDIS_URL or UPSTASH_REDIS_REST_URL for Redis)".to_owned(),
    }
}

fn claude(environment: &Environment, standin: Option<&Standin>) -> String {
    match standin {
        Some(standin) => {
            format!("built-in stand-in at {} (set CLAUDE_API_KEY for the real one)", standin.base_url())
        }
        None => match environment.get(&env::CLAUDE_BASE_URL) {
            Some(url) => format!("at {}", host(&url)),
            None => "api.anthropic.com".to_owned(),
        },
    }
}

/// The host of a URL: never what stands before `@`, never a query.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    // The last `@` first: a password may hold an unescaped slash.
    let shown = rest.rsplit('@').next().unwrap_or_default();
    shown.split(['/', '?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_shown_without_its_secrets() {
        assert_eq!(host("postgres://me:secret@db.example:5432/app?x=1"), "db.example:5432");
        assert_eq!(host("https://eu1.upstash.io"), "eu1.upstash.io");
        assert_eq!(host("rediss://default:p@ss/word@h:1"), "h:1");
    }
}
