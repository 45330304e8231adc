use purser_tests::{deployment::Deployment, token};
use serde_json::json;

#[tokio::test]
async fn conversations_are_made_listed_renamed_and_deleted() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "free");
    let made =
        deployment.call("POST", "/api/conversations").bearer(&token).json(&json!({ "title": "First" })).send().await;
    assert_eq!(made.status, 201, "{}", made.text);
    let path = format!("/api/conversations/{}", made.json()["id"].as_str().unwrap());
    let renamed = deployment.call("PATCH", &path).bearer(&token).json(&json!({ "title": "Second" })).send().await;
    assert_eq!(renamed.json()["title"], "Second");
    // What the platform appends to a dynamic route must not matter, nor what a caller writes there.
    let read = deployment.call("GET", &format!("{path}?id=another")).bearer(&token).send().await;
    assert_eq!((read.status, &read.json()["title"], &read.json()["messages"]), (200, &json!("Second"), &json!([])));
    let deleted = deployment.call("DELETE", &path).bearer(&token).send().await;
    assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
    deployment.call("GET", &path).bearer(&token).send().await.assert_problem(404, "not_found");
    deployment.call("DELETE", &path).bearer(&token).send().await.assert_problem(404, "not_found");
    let list = deployment.call("GET", "/api/conversations").bearer(&token).send().await.json();
    assert_eq!(list, json!({ "conversations": [], "next_cursor": null }));
}

#[tokio::test]
async fn pages_hold_every_conversation_once() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "free");
    for number in 0..7 {
        let body = json!({ "title": "t", "id": format!("c.{number}") });
        assert_eq!(deployment.call("POST", "/api/conversations").bearer(&token).json(&body).send().await.status, 201);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/conversations?limit=3{cursor}");
        let page = deployment.call("GET", &path).bearer(&token).send().await.json();
        seen.extend(page["conversations"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    seen.sort();
    assert_eq!(seen, (0..7).map(|number| format!("c.{number}")).collect::<Vec<_>>());
    let taken = deployment.call("POST", "/api/conversations").bearer(&token).json(&json!({ "id": "c.1" })).send().await;
    taken.assert_problem(409, "conflict");
    for query in ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=%ff"] {
        let path = format!("/api/conversations?{query}");
        deployment.call("GET", &path).bearer(&token).send().await.assert_problem(400, "invalid_query");
    }
}
