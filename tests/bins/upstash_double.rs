//! The double of Upstash as a process, in front of the Redis of TEST_REDIS_URL. Ends when its input ends.

use std::io::{self, Read, Write};

use purser_tests::{services, upstash::UpstashDouble};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let double = UpstashDouble::start(&services::redis_url()).await?;
    writeln!(io::stdout(), "listening {} token={}", double.url(), double.token())?;
    // So that it does not outlive whoever started it.
    tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await.map_err(io::Error::other)??;
    Ok(())
}
