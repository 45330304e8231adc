//! AWS Lambda: the same handlers behind a function URL with response streaming.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use lambda_http::{RequestExt as _, service_fn};

use super::{Platform, Route, answer, body_too_large};
use crate::{
    config::Config,
    http::{Body, stream},
    observe::Level,
};

pub(super) async fn serve(route: &'static Route, config: &'static Config) -> Result<(), lambda_http::Error> {
    lambda_http::run_with_streaming_response(service_fn(move |request: lambda_http::Request| async move {
        let path = request.raw_http_path().to_owned();
        let (mut head, body) = request.into_parts();
        if let Ok(uri) = path_and_query(&path, head.uri.query()).parse() {
            head.uri = uri;
        }
        let body = Bytes::from(body.to_vec());
        let body = if body.len() > route.body_cap_bytes { Err(body_too_large(route.body_cap_bytes)) } else { Ok(body) };
        let work = Work::default();
        let response = answer(route, config, Box::new(Lambda(work.clone())), head, body).await;
        Ok::<_, lambda_http::Error>(response.map(|body| until_done(body, work)))
    }))
    .await
}

fn path_and_query(path: &str, query: Option<&str>) -> String {
    query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
}

type Work = Arc<Mutex<Vec<tokio::task::JoinHandle<()>>>>;

/// Lambda freezes a process once its answer has ended, so the answer ends only when the work behind it is done.
fn until_done(mut body: Body, work: Work) -> Body {
    let (sender, whole) = stream();
    #[expect(clippy::disallowed_methods, reason = "this is the platform's side of ctx.after")]
    tokio::spawn(async move {
        use http_body_util::BodyExt as _;
        while let Some(Ok(frame)) = body.frame().await {
            if let Ok(data) = frame.into_data() {
                let _ = sender.send(data).await;
            }
        }
        drop(body);
        loop {
            let next = work.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(next) = next else { break };
            let _ = next.await;
        }
    });
    whole
}

struct Lambda(Work);

impl Platform for Lambda {
    fn after(&self, work: Pin<Box<dyn Future<Output = ()> + Send>>) {
        #[expect(clippy::disallowed_methods, reason = "this is the platform's side of ctx.after")]
        let task = tokio::spawn(work);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    fn log(&self, _level: Level, line: &str) {
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}
