//! The page in a real browser, behind the headers of `vercel.json`.

use std::process::Command;

use purser_tests::packages::{installed, succeeds};

use crate::Backend;

#[tokio::test]
async fn somebody_signs_up_out_and_in_on_the_page() {
    let mut backend = Backend::start().await;
    let mut walk = Command::new("node");
    walk.arg("walk.mjs").current_dir(installed("page"));
    succeeds(walk.env("BASE_URL", &backend.url).env("CHROMIUM", "/usr/bin/chromium"));
    backend.stop();
    let owners: Vec<_> = backend.deployment.ledger().await.into_iter().map(|row| row.owner).collect();
    assert!(owners.len() == 2 && owners[0] == owners[1] && owners[0].starts_with("user:"), "{owners:?}");
}
