//! Postgres and Redis over TLS, with certificates of an authority of their own.

use std::process::Command;

use purser::{
    net::Authorities,
    store::{PostgresOptions, Store},
};
use purser_tests::{
    certificates::{Authority, Certificate},
    deployment::Deployment,
    function::{Function, binary},
    http::Reply,
    private_postgres::{self, PrivatePostgres},
    private_redis::{self, PrivateRedis},
    token,
};
use serde_json::json;

fn one_line(pem: &str) -> String {
    pem.replace('\n', "\\n")
}

fn set(deployment: &mut Deployment, name: &str, value: Option<&str>) {
    match value {
        Some(value) => deployment.set(name, value),
        None => drop(deployment.environment.remove(name)),
    }
    deployment.restart("chat");
}

async fn chat(deployment: &Deployment) -> Reply {
    deployment.chat(&token::mint("ann", "pro"), json!({ "message": "Hi" })).await
}

/// All that the function has said, which must hold no secret.
fn said(deployment: &Deployment) -> String {
    let said: String = deployment.function("chat").lines().iter().map(ToString::to_string).collect();
    for secret in [private_postgres::PASSWORD, private_redis::PASSWORD, "BEGIN CERTIFICATE"] {
        assert!(!said.contains(secret), "{said}");
    }
    said
}

/// By the tool, as an owner does it.
fn migrate(url: &str, authority: Option<&Authority>) -> std::process::Output {
    let mut migrate = Command::new(binary("purser"));
    migrate.arg("migrate").env_clear().env("DATABASE_URL_UNPOOLED", url).current_dir(std::env::temp_dir());
    migrate.envs(authority.map(|authority| ("DATABASE_CA_CERT", one_line(&authority.pem()))));
    migrate.output().unwrap()
}

#[tokio::test]
async fn a_call_goes_over_tls_to_a_postgres_and_a_redis_of_their_own_authorities() {
    let (of_postgres, of_redis) = (Authority::new(), Authority::new());
    let postgres = PrivatePostgres::start(&of_postgres.certify("localhost", 2));
    let redis = PrivateRedis::start_with_tls(&of_redis.certify("localhost", 2));
    let refused = migrate(&postgres.url("?sslmode=require"), None);
    assert!(
        !refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("not trusted"),
        "{refused:?}"
    );
    let migrated = migrate(&postgres.url("?sslmode=require"), Some(&of_postgres));
    assert!(migrated.status.success(), "{migrated:?}");

    let mut deployment = Deployment::new().await;
    let authorities = Authorities::from_pem(&of_postgres.pem());
    let options = PostgresOptions { authorities, ..PostgresOptions::default() };
    deployment.store = Store::postgres(&postgres.url(""), options).unwrap();
    deployment.set("REDIS_URL", &redis.tls_url());
    deployment.set("REDIS_CA_CERT", &one_line(&of_redis.pem()));
    // Line ends as they are, an authority besides, and line ends as a dashboard has them.
    let both = Authority::new().pem() + &of_postgres.pem();
    for (options, pem) in [
        ("", of_postgres.pem()),
        ("?sslmode=require", both),
        ("?sslmode=verify-full", one_line(&of_postgres.pem())),
        // Fails where the client does not bind its proof of the password to the server's certificate.
        ("?sslmode=verify-full&channel_binding=require", of_postgres.pem()),
    ] {
        set(&mut deployment, "DATABASE_URL", Some(&postgres.url(options)));
        set(&mut deployment, "DATABASE_CA_CERT", Some(&pem));
        let answered = chat(&deployment).await;
        assert_eq!(
            (answered.status, answered.header("x-purser-degraded")),
            (200, ""),
            "{options}: {}",
            said(&deployment)
        );
    }
    let ledger = deployment.ledger().await;
    assert_eq!(ledger.len(), 4);
    assert!(ledger.iter().all(|row| row.state == "settled" && row.source.as_deref() == Some("provider")), "{ledger:?}");
}

/// Certificates that must not do, who is trusted with them, and how the log tells it.
fn wrong(authority: &Authority) -> [(Certificate, Option<String>, &'static str); 5] {
    [
        (authority.certify("localhost", 2), None, "not trusted"),
        (authority.certify("localhost", 2), Some(Authority::new().pem()), "not trusted"),
        (authority.certify("localhost", -1), Some(authority.pem()), "has expired"),
        (authority.certify("db.example.com", 2), Some(authority.pem()), "of another host"),
        (authority.itself(), Some(authority.pem()), "not for a server"),
    ]
}

#[tokio::test]
async fn no_call_starts_with_a_postgres_whose_certificate_does_not_hold() {
    let authority = Authority::new();
    let mut postgres = PrivatePostgres::start(&authority.certify("localhost", 2));
    let mut deployment = Deployment::new().await;
    for (certificate, trusted, why) in wrong(&authority) {
        postgres.start_again(&certificate);
        for options in ["", "?sslmode=require", "?sslmode=verify-full"] {
            set(&mut deployment, "DATABASE_URL", Some(&postgres.url(options)));
            set(&mut deployment, "DATABASE_CA_CERT", trusted.as_deref());
            chat(&deployment).await.assert_problem(503, "store_unavailable");
            assert!(said(&deployment).contains(why), "{options}: {}", said(&deployment));
        }
    }
    assert_eq!(deployment.claude.calls().len(), 0);
}

#[tokio::test]
async fn a_redis_whose_certificate_does_not_hold_is_as_good_as_away() {
    let authority = Authority::new();
    let mut deployment = Deployment::new().await;
    for (certificate, trusted, why) in wrong(&authority) {
        let redis = PrivateRedis::start_with_tls(&certificate);
        set(&mut deployment, "REDIS_URL", Some(&redis.tls_url()));
        set(&mut deployment, "REDIS_CA_CERT", trusted.as_deref());
        let answered = chat(&deployment).await;
        assert_eq!((answered.status, answered.header("x-purser-degraded")), (200, "limiter"), "{why}");
        assert!(said(&deployment).contains(why), "{why}: {}", said(&deployment));
    }
}

#[tokio::test]
async fn with_an_authority_nothing_goes_to_a_postgres_that_says_it_has_no_tls() {
    let mut deployment = Deployment::new().await;
    assert_eq!(chat(&deployment).await.status, 200);
    set(&mut deployment, "DATABASE_CA_CERT", Some(&Authority::new().pem()));
    chat(&deployment).await.assert_problem(503, "store_unavailable");
}

#[tokio::test]
async fn an_authority_that_is_none_or_that_nothing_would_ask_stops_the_start() {
    let deployment = Deployment::new().await;
    let pem = Authority::new().pem();
    let cut = &pem[..pem.len() / 2];
    let no_der = "-----BEGIN CERTIFICATE-----\nhunter2=\n-----END CERTIFICATE-----";
    let [plain_database, plain_redis] = ["DATABASE_URL", "REDIS_URL"].map(|name| deployment.environment[name].clone());
    let without_tls = format!("{plain_database}&sslmode=disable");
    for (database, database_ca, redis_ca, named) in [
        (&plain_database, "hunter2", "", "DATABASE_CA_CERT is malformed"),
        (&plain_database, cut, "", "DATABASE_CA_CERT is malformed"),
        (&plain_database, no_der, "", "DATABASE_CA_CERT is malformed"),
        (&plain_database, &format!("{pem}{no_der}"), "", "DATABASE_CA_CERT is malformed"),
        (&without_tls, &pem, "", "DATABASE_URL is malformed"),
        (&plain_database, "", &pem, "REDIS_URL is malformed"),
    ] {
        let mut environment = deployment.environment.clone();
        environment.insert("DATABASE_URL".to_owned(), database.clone());
        environment.insert("DATABASE_CA_CERT".to_owned(), database_ca.to_owned());
        environment.insert("REDIS_CA_CERT".to_owned(), redis_ca.to_owned());
        let said = Function::try_start("chat", &environment).err().unwrap();
        assert!(said.contains(named) && !said.contains("hunter2"), "{said}");
    }
    for bad in ["hunter2", cut, no_der] {
        let mut environment = deployment.environment.clone();
        environment.insert("REDIS_URL".to_owned(), plain_redis.replace("redis://", "rediss://"));
        environment.insert("REDIS_CA_CERT".to_owned(), bad.to_owned());
        let said = Function::try_start("chat", &environment).err().unwrap();
        assert!(said.contains("REDIS_CA_CERT is malformed") && !said.contains("hunter2"), "{said}");
    }
}
