use std::time::{Duration, Instant};

use purser::store::{Statement, Store, StoreError};
use purser_tests::{relay::CountingRelay, services};

use crate::{
    engines::{self, Engine},
    turns::{message, take},
};

#[tokio::test]
async fn a_connection_that_the_server_ended_is_survived() {
    let store = Engine::Postgres.migrated().await;
    let own =
        store.rows(Statement::new("select cast(pg_backend_pid() as bigint)", [])).await.unwrap()[0].int(0).unwrap();
    let (client, connection) = tokio_postgres::connect(&services::postgres_url(), tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.execute("select pg_terminate_backend($1)", &[&i32::try_from(own).unwrap()]).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    let one = message("m1", "one");
    take(&store, "k1", "c", purser::store::Turn::Submit { message: &one }).await;
}

#[tokio::test]
async fn nobody_waits_longer_than_the_bound_for_a_connection() {
    let store = Store::postgres(&services::postgres_url(), engines::options(1)).unwrap();
    let busy = store.clone();
    let sleeper = tokio::spawn(async move { busy.rows(Statement::new("select cast(pg_sleep(3) as text)", [])).await });
    while store.rows(Statement::new("select 'x'", [])).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let from = Instant::now();
    let refused = store.rows(Statement::new("select 'x'", [])).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(from.elapsed() < Duration::from_secs(2));
    sleeper.abort();
}

#[tokio::test]
async fn an_unreachable_server_is_unavailable_and_nothing_else() {
    let url = format!("postgres://purser@127.0.0.1:{}/x", purser_tests::function::free_port());
    let store = Store::postgres(&url, engines::options(1)).unwrap();
    let error = store.rows(Statement::new("select 'x'", [])).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn a_whole_turn_is_one_round_trip() {
    let url = Engine::Postgres.url().await;
    Engine::Postgres.open(&url).migrate().await.unwrap();
    let relay = CountingRelay::start(&services::postgres_url());
    let store = Engine::Postgres.open(&url.replace(&services::postgres_url(), &relay.url));
    let (one, two) = (message("m1", "one"), message("m2", "two"));
    take(&store, "k1", "c", purser::store::Turn::Submit { message: &one }).await;
    let before = relay.round_trips();
    take(&store, "k2", "c", purser::store::Turn::Submit { message: &two }).await;
    assert_eq!(relay.round_trips() - before, 1);
}

#[tokio::test]
async fn a_server_without_tls_hears_nothing_where_tls_is_asked_for_in_any_of_its_words() {
    use std::io::{Read as _, Write as _};
    for mode in ["require", "verify-ca", "verify-full"] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut asked = [0; 8];
            socket.read_exact(&mut asked).unwrap();
            // Postgres's word for: no TLS here.
            socket.write_all(b"N").unwrap();
            let mut more = Vec::new();
            let _ = socket.read_to_end(&mut more);
            (asked, more)
        });
        let store = Store::postgres(&format!("postgres://ann:hunter2@{address}/x?sslmode={mode}"), engines::options(1));
        let refused = store.unwrap().rows(Statement::new("select 'x'", [])).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unavailable(_)), "{mode}: {refused:?}");
        let (asked, more) = server.join().unwrap();
        // The SSLRequest of the protocol (PostgreSQL 17, "Message Formats"), and nothing after it.
        assert_eq!((asked, more), ([0, 0, 0, 8, 4, 210, 22, 47], Vec::new()), "{mode}");
    }
}
