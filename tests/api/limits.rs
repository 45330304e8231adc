use purser_tests::{
    deployment::{Cache, Deployment},
    token,
};
use serde_json::json;

#[tokio::test]
async fn an_anonymous_network_has_five_calls_whatever_cookies_it_throws_away() {
    for cache in [Cache::Redis, Cache::Upstash, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let chat = || {
            deployment.call("POST", "/api/chat").header("accept", "application/json").header("x-real-ip", "203.0.113.9")
        };
        for number in 0..5_u64 {
            let reply = chat().json(&json!({ "message": "Hi" })).send().await;
            assert_eq!(reply.status, 200, "{cache:?}: {}", reply.text);
            assert!(reply.header("ratelimit").contains(&format!("\"anonymous-network\";r={}", 4 - number)));
        }
        let reply = chat().json(&json!({ "message": "Hi" })).send().await;
        let problem = reply.assert_problem(429, "limit_exceeded");
        assert_eq!(problem["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
        assert_eq!(problem["violated-policies"], json!(["anonymous-network"]));
        assert_eq!(problem["next_plan"]["requests"], 10);
        let wait: u64 = reply.header("retry-after").parse().unwrap();
        assert!((3_500..=3_600).contains(&wait));
        assert_eq!(reply.header("ratelimit-policy").split(',').next(), Some("\"anonymous-network\";q=5;w=3600"));
        // Another network, and a caller with a token, are not touched.
        let other = deployment.call("POST", "/api/chat").header("x-real-ip", "203.0.113.10");
        assert_eq!(other.json(&json!({ "message": "Hi" })).send().await.status, 200);
        assert_eq!(deployment.chat(&token::mint("ann", "free"), json!({ "message": "Hi" })).await.status, 200);
        assert_eq!(deployment.ledger().await.len(), 7, "a refused call is not in the ledger");
    }
}

#[tokio::test]
async fn fifty_calls_at_once_for_ten_places_admit_ten() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "free");
    // Slots are not what is tested here: four at once is the free plan's cap, so calls come in small groups.
    let mut admitted = 0;
    for _ in 0..13 {
        let calls = (0..4).map(|_| deployment.chat(&token, json!({ "message": "Hi" })));
        let replies = futures(calls).await;
        admitted += replies.iter().filter(|reply| reply.status == 200).count();
        assert!(replies.iter().all(|reply| [200, 429].contains(&reply.status)));
    }
    assert_eq!(admitted, 10);
    assert_eq!(deployment.ledger().await.len(), 10);
    assert_eq!(deployment.claude.calls().len(), 10);
}

#[tokio::test]
async fn more_calls_at_once_than_the_plan_allows_are_refused_and_a_slot_comes_back() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "free");
    let mut open = Vec::new();
    for _ in 0..4 {
        deployment.claude.next("gate=slots");
        let call = deployment.call("POST", "/api/chat").bearer(&token).json(&json!({ "message": "Hi" }));
        open.push(call.open().await);
    }
    let refused = deployment.chat(&token, json!({ "message": "Hi" })).await;
    let problem = refused.assert_problem(429, "too_many_in_flight");
    assert_eq!(problem["violated-policies"], json!(["in-flight"]));
    deployment.claude.open_gate("slots");
    for (response, ended) in open {
        response.text().await.unwrap();
        ended().await;
    }
    assert_eq!(deployment.chat(&token, json!({ "message": "Hi" })).await.status, 200);
}

#[tokio::test]
async fn reading_the_limits_spends_nothing() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "free");
    for _ in 0..3 {
        let usage = deployment.call("GET", "/api/usage").bearer(&token).send().await.json();
        assert_eq!(
            usage["limits"][0],
            json!({ "policy": "free-requests", "limit": 10, "remaining": 10, "reset_s": null })
        );
    }
}

/// Runs all at once and gives what they gave, in the order in which they ended.
pub(crate) async fn futures<T>(work: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut pending: Vec<_> = work.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|cx| {
        pending.retain_mut(|one| match one.as_mut().poll(cx) {
            std::task::Poll::Ready(value) => {
                done.push(value);
                false
            }
            std::task::Poll::Pending => true,
        });
        if pending.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}
