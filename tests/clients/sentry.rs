//! Events against Kent, a Sentry for tests that others wrote.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use purser_tests::{
    deployment::{Cache, Deployment},
    function::free_port,
    packages::installed,
    token,
};
use serde_json::{Value, json};

struct Kent {
    server: Child,
    port: u16,
}

impl Kent {
    async fn start() -> Self {
        let folder = installed("kent");
        let port = free_port();
        let mut command = Command::new(folder.join("venv/bin/kent-server"));
        command.args(["run", "--host", "127.0.0.1", "--port", &port.to_string()]);
        let server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let kent = Self { server, port };
        let until = Instant::now() + Duration::from_secs(30);
        while purser::net::http_client().get(kent.url("/api/eventlist/")).send().await.is_err() {
            assert!(Instant::now() < until, "Kent does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        kent
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    async fn get(&self, path: &str) -> Value {
        let text = purser::net::http_client().get(self.url(path)).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Kent {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[tokio::test]
async fn sentry_reads_our_events_as_they_are_meant() {
    let kent = Kent::start().await;
    let mut deployment = Deployment::with(Cache::Sqlite).await;
    deployment.set("SENTRY_DSN", &format!("http://a11ce@127.0.0.1:{}/7", kent.port));
    let body = json!({ "message": "[[standin: error=authentication_error status=401]]" });
    let reply = deployment.chat(&token::mint("ann", "pro"), body).await;
    reply.assert_problem(502, "claude_misconfigured");
    let list = kent.get("/api/eventlist/").await;
    let events = list["events"].as_array().unwrap();
    assert_eq!(events.len(), 1, "{list}");
    assert_eq!(events[0]["project_id"], 7, "{list}");
    let event = kent.get(&format!("/api/event/{}", events[0]["event_id"].as_str().unwrap())).await;
    let body = &event["payload"]["body"];
    assert_eq!(body["message"], "chat: claude_misconfigured", "{event}");
    assert_eq!(body["tags"]["request_id"], reply.header("x-request-id"), "{event}");
}
