//! The published contract against the sources and against what the binaries answer. That no answer of any other test
//! differs from it is seen to by the harness.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use purser::Code;
use purser_tests::{
    contract::{Operation, document, is_at, operations},
    deployment::{Cache, Deployment, function_of},
    packages::project_dir,
    shop::Shop,
};
use serde_json::{Value, json};

use crate::drive::everything;

fn read(path: &str) -> String {
    fs::read_to_string(project_dir().join(path)).unwrap()
}

/// The routes as the README and the files under `api/` tell them (which a house rule holds equal): the file, the method
/// and the path.
fn routes() -> Vec<(String, String, String)> {
    let readme = read("README.md");
    let mut routes = Vec::new();
    for row in readme.lines().filter(|line| line.starts_with("| `api/")) {
        let cells: Vec<_> = row.split(" | ").collect();
        let file = cells[0].trim_start_matches("| `").trim_end_matches('`');
        let mut methods = Vec::new();
        for word in cells[1].split(", ") {
            let (method, path) = word.split_once(' ').map_or((word, None), |(method, path)| (method, Some(path)));
            methods.push(method.to_lowercase());
            if let Some(path) = path {
                routes.extend(methods.drain(..).map(|method| (file.to_owned(), method, path.to_owned())));
            }
        }
        assert!(methods.is_empty(), "{row}");
    }
    assert!(routes.len() > 20, "{routes:?}");
    routes
}

/// The paths that vercel.json names, as templates.
fn platform_paths(list: &str, name: &str) -> Vec<String> {
    let settings: Value = serde_json::from_str(&read("vercel.json")).unwrap();
    let paths = settings[list].as_array().unwrap().iter().map(|one| one[name].as_str().unwrap().to_owned());
    paths.map(|path| path.replace(":id", "{id}")).collect()
}

#[test]
fn the_contract_tells_of_the_routes_that_there_are_and_of_no_others() {
    let (routes, all) = (routes(), operations());
    for (file, method, path) in &routes {
        let told = all.iter().filter(|one| one.method == method && is_at(path, one.path)).count();
        assert!(told > 0, "{file}: {method} {path}");
    }
    let rewritten = platform_paths("rewrites", "source");
    for path in rewritten.iter().chain(&platform_paths("crons", "path")) {
        assert!(all.iter().any(|one| one.path == path), "vercel.json: {path}");
    }
    for one in all.iter().filter(|one| one.method != "head") {
        let is_route = routes.iter().any(|(_, method, path)| one.method == method && is_at(path, one.path));
        assert!(is_route || rewritten.iter().any(|path| path == one.path), "{} {}", one.method, one.path);
    }
    let mut ids: Vec<_> = all.iter().map(Operation::id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len());
}

#[tokio::test]
async fn every_binary_takes_the_methods_that_the_contract_tells_of() {
    let deployment = Deployment::with(Cache::Sqlite).await;
    let mut told: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for one in operations() {
        told.entry(function_of(one.path)).or_default().insert(one.method.to_uppercase());
    }
    for one in operations() {
        let path = one.path.replace("{id}", "x");
        let mut wanted = told[function_of(one.path)].clone();
        wanted.insert("OPTIONS".to_owned());
        let reply = deployment.call("OPTIONS", &path).send().await;
        let allowed: BTreeSet<_> = reply.header("allow").split(", ").map(str::to_owned).collect();
        assert_eq!((reply.status, &allowed), (204, &wanted), "{path}");
        let refused = deployment.call("TRACE", &path).send().await;
        assert_eq!((refused.status, refused.header("allow")), (405, reply.header("allow")), "{path}");
    }
}

/// The status of a code on a path: Anthropic's SDKs raise the right class only for theirs.
fn status(code: Code, path: &str) -> u16 {
    match code {
        Code::ClaudeOverloaded if path.starts_with("/api/v1/") => 529,
        Code::InvalidBody | Code::MaxTokensTooLarge | Code::FeatureNotPriced if path.starts_with("/api/v1/") => 400,
        code => code.status(),
    }
}

#[test]
fn the_contracts_error_codes_are_those_of_the_code() {
    let names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let told = &document()["components"]["schemas"]["ErrorCode"];
    assert_eq!(told["enum"], json!(names));
    let rows: BTreeMap<_, _> =
        Code::ALL.iter().map(|code| (code.as_str(), format!("{} {}", code.status(), code.title()))).collect();
    assert_eq!(told["x-codes"], json!(rows));
    let mut used = BTreeSet::from([Code::MethodNotAllowed.as_str()]);
    for one in operations().into_iter().filter(|one| one.method != "head") {
        let mut statuses = BTreeSet::new();
        for name in one.codes() {
            let code = Code::ALL.iter().find(|code| code.as_str() == name);
            statuses.insert(status(*code.unwrap_or_else(|| panic!("{}: {name}", one.id())), one.path).to_string());
            used.insert(name);
        }
        if one.id() == "deepHealth" {
            // It answers so with what it found.
            statuses.insert("503".to_owned());
        }
        let answers = one.told["responses"].as_object().unwrap().keys();
        let errors: BTreeSet<_> = answers.filter(|status| status.as_str() >= "400").cloned().collect();
        assert_eq!(errors, statuses, "{}", one.id());
    }
    assert_eq!(used, names.into_iter().collect(), "every code is told of by some operation");
}

/// What a file says of its errors: `claude_*` stands for all that begin so.
#[test]
fn the_contract_tells_of_every_code_that_a_routes_file_names() {
    let all = operations();
    for (file, ..) in routes() {
        let header: Vec<_> =
            read(&file).lines().map_while(|line| line.strip_prefix("//!").map(str::to_owned)).collect();
        let text = header.join(" ");
        let named = text.split_once("Errors:").unwrap_or_else(|| panic!("{file}: no errors")).1;
        let paths: Vec<_> = routes().into_iter().filter(|route| route.0 == file).map(|route| route.2).collect();
        let told: BTreeSet<_> = all
            .iter()
            .filter(|one| paths.iter().any(|path| is_at(path, one.path)))
            .flat_map(Operation::codes)
            .collect();
        // A job that there is not is no operation.
        let is_told = |name: &&str| !(file.starts_with("api/cron/") && *name == "not_found");
        for name in named.split('`').skip(1).step_by(2).filter(is_told) {
            let begins = name.strip_suffix('*').unwrap_or(name);
            let mut codes = Code::ALL
                .iter()
                .map(|code| code.as_str())
                .filter(|code| if name.ends_with('*') { code.starts_with(begins) } else { *code == name });
            assert!(codes.all(|code| told.contains(code)), "{file}: {name}");
        }
    }
}

#[tokio::test]
async fn every_operation_answers_as_told_in_success_and_in_error() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let shop = Shop::open(cache).await;
        let seen = everything(&shop).await;
        let all = operations().into_iter().flat_map(|one| [(one.id(), true), (one.id(), false)]);
        let missing: Vec<_> = all.filter(|one| !seen.contains(one) && *one != ("healthHead", false)).collect();
        assert!(missing.is_empty(), "{cache:?}: {missing:?}");
    }
}
