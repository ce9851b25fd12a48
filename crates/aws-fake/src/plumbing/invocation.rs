//! An invocation of a function, and how a call can kill it.

use std::sync::Arc;

use tokio::sync::Notify;

/// An invocation that runs.
struct Running {
    number: usize,
    killed: Notify,
}

tokio::task_local! {
    /// The invocation that the running task belongs to. A fault that kills knows its victim by it.
    static CURRENT: Arc<Running>;
}

/// Kills the invocation that makes the present call. Outside one, the call just never returns.
pub(crate) fn kill() {
    // Without an invocation there is nothing to kill, which is as it should be.
    let _ = CURRENT.try_with(|victim| victim.killed.notify_one());
}

/// The number of the invocation that runs here, from 1; none outside of one, and for one without a number.
pub fn current() -> Option<usize> {
    CURRENT.try_with(|running| running.number).ok().filter(|number| *number > 0)
}

/// Runs an invocation; none when it was killed.
pub async fn run<T>(invocation: impl Future<Output = T>) -> Option<T> {
    run_as(0, invocation).await
}

/// Runs an invocation that has a number; none when it was killed.
pub(crate) async fn run_as<T>(number: usize, invocation: impl Future<Output = T>) -> Option<T> {
    let running = Arc::new(Running { number, killed: Notify::new() });
    tokio::select! {
        biased;
        () = running.killed.notified() => None,
        done = CURRENT.scope(Arc::clone(&running), invocation) => Some(done),
    }
}
