use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

use crate::copy::Copy;

/// Every file below a folder, relative to it.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    found
}

#[test]
fn vercel_builds_a_function_for_every_route_and_publishes_no_source() {
    let copy = Copy::new();
    let mut vercel = copy.vercel();
    vercel.arg("build");
    // What is built is tested here, not how well it is optimised.
    for (name, value) in [("LTO", "off"), ("OPT_LEVEL", "0"), ("CODEGEN_UNITS", "16"), ("STRIP", "symbols")] {
        vercel.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
    }
    assert!(vercel.status().unwrap().success());
    let output = copy.folder.join(".vercel/output");
    let routes: BTreeSet<_> = files(&copy.folder.join("api")).iter().map(|file| file.replace(".rs", "")).collect();
    let functions: BTreeSet<_> = files(&output.join("functions"))
        .iter()
        .map(|file| file.strip_prefix("api/").unwrap().strip_suffix(".func/.vc-config.json").unwrap().to_owned())
        .collect();
    assert_eq!(functions, routes);
    assert!(functions.len() <= 12, "Vercel's Hobby plan allows no more");
    for function in &functions {
        let path = output.join(format!("functions/api/{function}.func/.vc-config.json"));
        let config: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!((&config["runtime"], &config["supportsResponseStreaming"]), (&"executable".into(), &true.into()));
        assert_eq!(config["maxDuration"], 300);
        assert!(copy.folder.join(config["filePathMap"]["executable"].as_str().unwrap()).exists());
    }
    assert_eq!(files(&output.join("static")), files(&copy.folder.join("public")), "only the page is published");
    let config = std::fs::read_to_string(output.join("config.json")).unwrap();
    assert!(config.contains("/api/conversations/[id]"), "{config}");
}
