//! Decides whether SQLite is part of this build, and turns the price and plan files into checked constants.

#[path = "build/plans.rs"]
mod plans;
#[path = "build/prices.rs"]
mod prices;

use std::{env, fs, path::PathBuf, process::ExitCode};

#[expect(clippy::disallowed_methods, reason = "a build script talks with cargo through these")]
fn main() -> ExitCode {
    println!("cargo::rustc-check-cfg=cfg(sqlite)");
    let debug = env::var("PROFILE").is_ok_and(|profile| profile == "debug");
    if debug || env::var_os("CARGO_FEATURE_SQLITE").is_some() {
        println!("cargo::rustc-cfg=sqlite");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    match generate(&out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            println!("cargo::error={}", fault.replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

fn generate(out: &std::path::Path) -> Result<(), String> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    let read = |name: &str| {
        println!("cargo::rerun-if-changed={name}");
        fs::read_to_string(name).map_err(|error| format!("{name}: {error}"))
    };
    let write = |name: &str, code: String| {
        fs::write(out.join(name), code).map_err(|error| format!("cannot write {name}: {error}"))
    };
    let prices_text = read("prices.toml")?;
    let prices = prices::parse(&prices_text)?;
    write("prices.rs", prices::generate(&prices, &prices_text))?;
    let plans = plans::parse(&read("plans.toml")?, &prices)?;
    write("plans.rs", plans::generate(&plans))
}
