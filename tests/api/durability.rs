use purser_tests::{deployment::Deployment, function::Function, token};
use serde_json::json;

#[tokio::test]
async fn a_process_that_is_told_to_stop_finishes_its_calls_first() {
    let deployment = Deployment::new().await;
    let mut function = Function::start("chat", &deployment.environment);
    deployment.claude.next("gate=stop");
    let request = client()
        .post(function.url("/api/chat"))
        .header("authorization", format!("Bearer {}", token::mint("ann", "pro")))
        .body(json!({ "message": "Hi" }).to_string());
    let mut response = request.send().await.unwrap();
    deployment.claude.gate_reached("stop").await;
    let stopping = tokio::task::spawn_blocking(move || function.terminate());
    deployment.claude.open_gate("stop");
    let mut text = String::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    assert_eq!(stopping.await.unwrap(), Some(0));
    assert_eq!(deployment.ledger().await[0].state, "settled");
}

#[tokio::test]
async fn a_process_that_is_killed_leaves_its_call_in_the_ledger() {
    let deployment = Deployment::new().await;
    let mut function = Function::start("chat", &deployment.environment);
    deployment.claude.next("gate=kill");
    let request = client()
        .post(function.url("/api/chat"))
        .header("authorization", format!("Bearer {}", token::mint("ann", "pro")))
        .body(json!({ "message": "Hi" }).to_string());
    let response = request.send().await.unwrap();
    deployment.claude.gate_reached("kill").await;
    function.kill();
    drop(response);
    let row = &deployment.ledger().await[0];
    assert_eq!((row.state.as_str(), row.cost_nanousd), ("reserved", None));
    assert!(row.ceiling_nanousd > 0);
}

#[tokio::test]
async fn production_does_not_start_without_what_it_needs() {
    let mut deployment = Deployment::new().await;
    deployment.set("VERCEL_ENV", "production");
    Function::start("health", &deployment.environment);
    for missing in ["DATABASE_URL", "REDIS_URL", "JWT_SECRET"] {
        let mut environment = deployment.environment.clone();
        environment.remove(missing);
        let said = Function::try_start("health", &environment).err().expect("it started");
        assert!(said.contains(missing), "{said}");
    }
    for (name, value) in [
        ("DATABASE_URL", "mysql://x"),
        ("REDIS_URL", "x"),
        ("JWT_SECRET", "short"),
        ("ALLOWED_ORIGINS", "*"),
        ("CLAUDE_MODELS", "gpt-5"),
    ] {
        let mut environment = deployment.environment.clone();
        environment.insert(name.to_owned(), value.to_owned());
        let said = Function::try_start("health", &environment).err().expect("it started");
        assert!(said.contains(name), "{said}");
    }
}

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .tls_backend_preconfigured((*purser::net::tls_config()).clone())
        .no_proxy()
        .build()
        .unwrap()
}
