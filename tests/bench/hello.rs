//! The smallest function there is: what every ratio of the cold-start bench is against.
use std::process::ExitCode;

use vercel_runtime::{AppState, Error, Request, Response, ResponseBody, service_fn};

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.map(|runtime| runtime.block_on(vercel_runtime::run(service_fn(hello))));
    if matches!(served, Ok(Ok(()))) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn hello(_: Request, _: AppState) -> Result<Response<ResponseBody>, Error> {
    Ok(Response::new(ResponseBody::from("hello")))
}
