//! The house rules that a machine can hold: one truth about routes and variables, small files, nothing left behind.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use purser::{Code, env};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The project's own files, as git knows them.
fn tracked() -> Vec<String> {
    let list =
        Command::new("git").args(["ls-files", "-z", "-co", "--exclude-standard"]).current_dir(root()).output().unwrap();
    let files = String::from_utf8(list.stdout).unwrap();
    let files: Vec<_> = files.split('\0').filter(|file| root().join(file).is_file()).map(str::to_owned).collect();
    assert!(files.len() > 50, "git lists the project's files");
    files
}

fn rust_files() -> Vec<String> {
    tracked().into_iter().filter(|file| file.ends_with(".rs")).collect()
}

fn routes() -> Vec<String> {
    let routes: Vec<_> = rust_files().into_iter().filter(|file| file.starts_with("api/")).collect();
    assert!(!routes.is_empty());
    routes
}

#[test]
fn every_route_has_its_binary_and_every_binary_its_route() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let bins: BTreeSet<_> = manifest["bin"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bin| (bin["name"].as_str().unwrap().to_owned(), bin["path"].as_str().unwrap().to_owned()))
        .collect();
    let expected: BTreeSet<_> = routes()
        .into_iter()
        .map(|file| {
            let path = file.strip_prefix("api/").unwrap().strip_suffix(".rs").unwrap();
            let path = path.strip_suffix("/index").unwrap_or(path);
            (path.replace(['[', ']'], "").replace('/', "-"), file)
        })
        .collect();
    assert_eq!(bins, expected);
    assert!(bins.len() <= 12, "Vercel's Hobby plan allows no more functions");
}

#[test]
fn the_readme_tells_the_routes_as_their_files_do() {
    let readme = read("README.md");
    for file in routes() {
        let header = read(&file).lines().next().unwrap().strip_prefix("//! ").unwrap().to_owned();
        let (route, sentence) = header.split_once(" - ").unwrap();
        let row = format!("| `{file}` | {route} | {sentence} |");
        assert!(readme.contains(&row), "README.md has no row\n{row}");
    }
    let told = readme.lines().filter(|line| line.starts_with("| `api/")).count();
    assert_eq!(told, routes().len(), "README.md tells of a route that is not there");
}

#[test]
fn every_variable_and_every_code_is_documented_where_people_look() {
    let (readme, example) = (read("README.md"), read(".env.example"));
    for var in env::VARS {
        assert!(readme.contains(&format!("| `{}` | {} |", var.name, var.doc)), "README.md: {}", var.name);
        assert!(example.contains(&format!("# {}\n#{}=\n", var.doc, var.name)), ".env.example: {}", var.name);
    }
    let named = example.lines().filter(|line| line.starts_with('#') && line.ends_with('=')).count();
    assert_eq!(named, env::VARS.len());
    for code in Code::ALL {
        let row = format!("| `{}` | {} | {} |", code.as_str(), code.status(), code.title());
        assert!(readme.contains(&row), "README.md has no row\n{row}");
    }
}

#[test]
fn the_root_package_depends_on_the_lib_and_no_route_reaches_around_it() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let names: Vec<_> = manifest["dependencies"].as_table().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["purser", "serde", "serde_json"]);
}

#[test]
fn one_tls_stack_and_no_openssl() {
    let lock = read("Cargo.lock");
    for unwanted in ["openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys"] {
        assert!(!lock.contains(&format!("name = \"{unwanted}\"")), "{unwanted}");
    }
    assert_eq!(lock.matches("name = \"rustls\"\n").count(), 1);
    assert_eq!(lock.matches("name = \"hyper\"\n").count(), 1);
}

#[test]
fn files_can_be_read_at_one_sitting_and_are_named_after_things() {
    for file in rust_files() {
        let lines = read(&file).lines().count();
        assert!(lines <= 300, "{file} has {lines} lines");
        let name = Path::new(&file).file_stem().unwrap().to_str().unwrap().to_owned();
        let unwanted = ["utils", "helpers", "common", "types", "manager", "service"];
        assert!(!unwanted.contains(&name.as_str()), "{file}");
    }
}

#[test]
fn nothing_is_left_behind_and_nothing_tells_of_one_machine() {
    let marks = ["TO".to_owned() + "DO", "FIX".to_owned() + "ME", "unimplemented".to_owned() + "!("];
    let paths = ["/home/", "/root/", "/work/"];
    for file in tracked() {
        if file == "tests/house/main.rs" || file.ends_with(".lock") || file.ends_with("package-lock.json") {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(root().join(&file)) else { continue };
        for mark in &marks {
            assert!(!text.contains(mark.as_str()), "{file}: {mark}");
        }
        for path in paths {
            assert!(!text.contains(path), "{file}: {path}");
        }
    }
}

#[test]
fn locks_name_no_registry_host() {
    for file in tracked().into_iter().filter(|file| file.ends_with("package-lock.json")) {
        assert!(!read(&file).contains("\"resolved\": \"http"), "{file}");
    }
}

#[test]
fn variables_are_read_in_one_place() {
    let reads = ["env::var(", "env::var_os(", "env::vars("];
    for file in rust_files().into_iter().filter(|file| file.starts_with("api/") || file.starts_with("lib/src/")) {
        let text = read(&file);
        let found = reads.iter().find(|call| text.contains(*call));
        assert!(found.is_none() || file == "lib/src/env.rs", "{file} reads the environment past purser::env");
    }
}

#[test]
fn the_platforms_file_is_json() {
    let settings: serde_json::Value = serde_json::from_str(&read("vercel.json")).unwrap();
    assert!(settings.get("functions").is_some_and(serde_json::Value::is_object));
}

#[test]
fn the_page_exists_or_vercel_would_publish_the_sources() {
    assert!(root().join("public/index.html").is_file());
}

/// The policy in vercel.json would block what is inline; text of others must never become markup.
#[test]
fn the_page_asks_nobody_else_and_has_nothing_inline() {
    let markup = ["<style", " style=", " onclick=", " onload=", "javascript:", "src=\"http", "href=\"http", "url(http"];
    let code =
        ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "localStorage"];
    for file in tracked().into_iter().filter(|file| file.starts_with("public/")) {
        let text = read(&file);
        let unwanted = if file.ends_with(".js") { &code[..] } else { &markup[..] };
        for word in unwanted {
            assert!(!text.contains(word), "{file}: {word}");
        }
        let tags = text.split("<script").skip(1).filter_map(|script| script.split('>').next());
        let inline = tags.filter(|tag| !tag.contains("src=\"/")).count() > 0;
        assert!(!file.ends_with(".html") || !inline, "{file}: a script without src");
    }
}
