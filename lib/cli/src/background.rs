//! Tasks that nobody waits for.

/// Starts a task on the current runtime.
#[expect(clippy::disallowed_methods, reason = "this is no function: its tasks end with the process or its runtime")]
pub(crate) fn start<F>(task: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(task)
}
