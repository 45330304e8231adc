//! `useChat` in a real browser.

use std::{fs, path::Path};

use purser_tests::packages::installed;

use crate::{Backend, ai, snippets::snippet};

/// Debian's.
const CHROMIUM: &str = "/usr/bin/chromium";

async fn use_chat_works(version: &str) {
    assert!(Path::new(CHROMIUM).exists(), "run tests/packages system");
    let file = format!("readme-{version}.jsx");
    fs::write(installed("ai").join(&file), snippet("useChat")).unwrap();
    let mut browser = ai("browser.mjs", version);
    browser.env("SNIPPET", format!("./{file}")).env("CHROMIUM", CHROMIUM);
    Backend::start().await.satisfies(&mut browser).await;
}

#[tokio::test]
async fn use_chat_5_works_in_chromium() {
    use_chat_works("5").await;
}

#[tokio::test]
async fn use_chat_6_works_in_chromium() {
    use_chat_works("6").await;
}

#[tokio::test]
async fn use_chat_7_and_the_readmes_component_work_in_chromium() {
    use_chat_works("7").await;
}
