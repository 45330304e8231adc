//! The contract as others read it: by a validator, by a generator of types, and by a client that was written from it.

use std::process::Command;

use purser_tests::{deployment::Cache, packages::installed, packages::succeeds, shop::Shop};

use crate::Backend;

fn node(script: &str, backend: &Backend) -> Command {
    let mut command = Command::new("node");
    command.arg(script).current_dir(installed("openapi")).env("BASE_URL", &backend.url);
    command
}

#[tokio::test]
async fn what_is_served_is_an_openapi_document_and_a_typed_client_made_of_it_works() {
    let Shop { deployment, stripe, .. } = Shop::open(Cache::Sqlite).await;
    let mut backend = Backend::of(deployment);
    succeeds(&mut node("validate.mjs", &backend));
    let url = format!("{}/openapi.json", backend.url);
    succeeds(node("node_modules/openapi-typescript/bin/cli.js", &backend).args([&url, "--output", "api.d.ts"]));
    succeeds(node("node_modules/typescript/bin/tsc", &backend).args(["--project", "."]));
    let mut client = node("out/client.js", &backend);
    // The client asks the double while it is waited for.
    tokio::task::spawn_blocking(move || succeeds(&mut client)).await.unwrap();
    backend.stop();
    let world = stripe.world();
    assert_eq!((world.customers.len(), world.sessions.len()), (1, 1));
}
