use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use purser_tests::{deployment::Deployment, function::Function, packages::succeeds};
use serde_json::{Value, json};

use crate::{
    cli::vercel,
    upload::{Upload, files},
};

/// Builds an upload and gives the output's folder.
fn build(upload: &Upload) -> PathBuf {
    succeeds(profile(&mut vercel(upload, &["build"])));
    upload.folder.join(".vercel/output")
}

/// What is built is tested here, not how well it is optimised.
fn profile(build: &mut Command) -> &mut Command {
    for (name, value) in [("LTO", "off"), ("OPT_LEVEL", "0"), ("CODEGEN_UNITS", "256"), ("INCREMENTAL", "true")] {
        build.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
    }
    build
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test]
async fn vercel_builds_a_function_for_every_route_and_publishes_nothing_but_the_page() {
    let upload = Upload::new();
    let output = build(&upload);

    let routes: BTreeSet<_> =
        files(&upload.folder.join("api")).iter().map(|file| file.with_extension("func")).collect();
    let configs = files(&output.join("functions/api"));
    let functions: BTreeSet<_> = configs.iter().map(|file| file.parent().unwrap().to_owned()).collect();
    assert_eq!(functions, routes);
    assert!(functions.len() <= 12, "Vercel's Hobby plan allows no more");

    let mut executables = BTreeMap::new();
    for function in &functions {
        let config = read(&output.join("functions/api").join(function).join(".vc-config.json"));
        assert_eq!((&config["runtime"], &config["supportsResponseStreaming"]), (&json!("executable"), &json!(true)));
        assert_eq!(config["maxDuration"], 300);
        let executable = upload.folder.join(config["filePathMap"]["executable"].as_str().unwrap());
        assert!(executable.is_file(), "{}", executable.display());
        executables.insert(function.display().to_string(), executable.canonicalize().unwrap());
    }
    assert_eq!(files(&output.join("static")), files(&upload.folder.join("public")));

    let routing = read(&output.join("config.json"));
    let has = |src: &str, dest: &str| {
        routing["routes"].as_array().unwrap().iter().any(|r| r["src"] == src && r["dest"] == dest)
    };
    assert!(has("^/api/conversations/([^/]+)$", "/api/conversations/[id]?id=$1"), "{routing}");

    for (src, dest) in [
        ("^/api/chat(?:/([^/]+?))/stream$", "/api/chat?id=$1"),
        ("^/api/v1/messages/count_tokens$", "/api/v1/messages"),
        ("^/api/v1/models$", "/api/v1/messages"),
        ("^/api/v1/models(?:/([^/]+?))$", "/api/v1/messages?id=$1"),
    ] {
        assert!(has(src, dest), "{src} {routing}");
    }

    all_at_once_is_what_the_builder_builds(&upload, &executables);
    a_release_build_serves(&executables["health.func"]).await;
}

/// `build.sh` compiles for the builder: if anything of it differed, the builder would compile everything a second time.
fn all_at_once_is_what_the_builder_builds(upload: &Upload, executables: &BTreeMap<String, PathBuf>) {
    let script = upload.folder.join("build.sh");
    let build = |image: &str| {
        let mut build = upload.command(script.to_str().unwrap());
        succeeds(profile(build.env("VERCEL_BUILD_IMAGE", image)));
    };
    let written = |path: &PathBuf| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let before: Vec<_> = executables.values().map(written).collect();
    let chat = &executables["chat.func"];
    fs::remove_file(chat).unwrap();
    build("");
    assert_eq!(written(chat), None, "off Vercel's machines the builder compiles for another target");
    build("local");
    assert_eq!(executables.values().map(written).collect::<Vec<_>>(), before, "cargo has compiled something again");
}

/// Without debug assertions and without SQLite, as on the platform.
async fn a_release_build_serves(executable: &Path) {
    let deployment = Deployment::new().await;
    let function = Function::start(executable.to_str().unwrap(), &deployment.environment);
    let reply = get(&function.url("/api/health")).await;
    assert_eq!((reply.0, &reply.1["status"]), (200, &json!("ok")), "{}", reply.1);
}

async fn get(url: &str) -> (u16, Value) {
    let response = purser::net::http_client().get(url).send().await.unwrap();
    (response.status().as_u16(), serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}
