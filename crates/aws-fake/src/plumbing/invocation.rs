//! An invocation of a function, and how a call can kill it.

use std::sync::Arc;

use tokio::sync::Notify;

tokio::task_local! {
    /// The invocation that the running task belongs to. A fault that kills knows its victim by it.
    static CURRENT: Arc<Notify>;
}

/// Kills the invocation that makes the present call. Outside one, the call just never returns.
pub(crate) fn kill() {
    // Without an invocation there is nothing to kill, which is as it should be.
    let _ = CURRENT.try_with(|victim| victim.notify_one());
}

/// Runs an invocation; none when it was killed.
pub async fn run<T>(invocation: impl Future<Output = T>) -> Option<T> {
    let killed = Arc::new(Notify::new());
    tokio::select! {
        biased;
        () = killed.notified() => None,
        done = CURRENT.scope(Arc::clone(&killed), invocation) => Some(done),
    }
}
