use crate::engines;

#[tokio::test]
async fn several_processes_may_migrate_at_once() {
    for engine in engines::ALL {
        let url = engine.url().await;
        let tasks: Vec<_> = (0..6)
            .map(|_| {
                let store = engine.open(&url);
                tokio::spawn(async move { store.migrate().await })
            })
            .collect();
        let mut done = Vec::new();
        for task in tasks {
            done.extend(task.await.unwrap().unwrap());
        }
        assert!(!done.is_empty(), "{engine:?}");
        let mut once = done.clone();
        once.dedup();
        assert_eq!(done, once, "{engine:?}: each is applied once");
        assert!(engine.open(&url).migrate().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_url_that_cannot_be_read_is_not_repeated() {
    let url = "postgres://user:hunter2@[";
    let error = purser::store::Store::postgres(url, engines::options(1)).err().unwrap();
    assert!(!error.to_string().contains("hunter2"));
}
