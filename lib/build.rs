//! Decides whether SQLite is part of this build.
#![expect(clippy::disallowed_methods, reason = "a build script talks with cargo through these")]

fn main() {
    println!("cargo::rustc-check-cfg=cfg(sqlite)");
    let debug = std::env::var("PROFILE").is_ok_and(|profile| profile == "debug");
    if debug || std::env::var_os("CARGO_FEATURE_SQLITE").is_some() {
        println!("cargo::rustc-cfg=sqlite");
    }
}
