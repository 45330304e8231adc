//! What the messages bench is against: a function that passes bytes on to CLAUDE_BASE_URL and back, and looks at none.
#![expect(clippy::disallowed_methods, reason = "a bench is told where to go by the environment")]

use std::process::ExitCode;

use bytes::Bytes;
use http_body_util::{BodyExt as _, channel::Channel};
use vercel_runtime::{AppState, Error, Request, Response, ResponseBody, service_fn};

fn main() -> ExitCode {
    // reqwest asks for a provider even where nothing is encrypted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(client) = reqwest::Client::builder().no_proxy().build() else { return ExitCode::FAILURE };
    let handle = service_fn(move |request: Request, state: AppState| pass(client.clone(), request, state));
    let served = runtime.map(|runtime| runtime.block_on(vercel_runtime::run(handle)));
    if matches!(served, Ok(Ok(()))) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn pass(client: reqwest::Client, request: Request, _: AppState) -> Result<Response<ResponseBody>, Error> {
    let url = std::env::var("CLAUDE_BASE_URL")?;
    let body = request.into_body().collect().await?.to_bytes();
    let call = client.post(format!("{url}/v1/messages")).header("x-api-key", "any");
    let call = call.header("anthropic-version", "2023-06-01").body(body);
    let mut answer = call.send().await?;
    let (mut sender, out) = Channel::<Bytes, Error>::new(64);
    let mut response = Response::new(ResponseBody(out.boxed()));
    *response.status_mut() = answer.status();
    tokio::spawn(async move {
        while let Ok(Some(chunk)) = answer.chunk().await {
            if sender.send_data(chunk).await.is_err() {
                return;
            }
        }
    });
    Ok(response)
}
