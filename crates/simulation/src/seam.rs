//! The seam between the function and the fake: every call passes here, is counted, and may be blinded.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_config::SdkConfig;
use aws_fake::FakeAws;
use aws_fake::plumbing::invocation;
use aws_fake::world::clock::Moment;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

use crate::blinders::Blinder;

/// A call that the function made.
#[derive(Clone, Debug)]
pub(crate) struct Called {
    pub(crate) at: Moment,
    /// The invocation that made it.
    pub(crate) invocation: usize,
    pub(crate) operation: String,
    /// Whether it is the SDK's first attempt at it.
    pub(crate) is_first: bool,
    /// The instance and the token, of a call about a lifecycle action.
    pub(crate) about: Option<(String, Option<String>)>,
}

/// Between the SDK and the fake. Clones are the same seam.
#[derive(Clone)]
pub(crate) struct Seam {
    fake: FakeAws,
    blinder: Option<Blinder>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    calls: Vec<Called>,
    /// Invocations of which a call has failed.
    failed: HashSet<usize>,
}

impl Seam {
    pub(crate) fn new(fake: &FakeAws, blinder: Option<Blinder>) -> Self {
        Self { fake: fake.clone(), blinder, seen: Arc::default() }
    }

    /// The configuration of a client whose calls pass here.
    pub(crate) fn sdk_config(&self) -> SdkConfig {
        let retries = aws_helpers::sdk::retries();
        let config = self.fake.sdk_config_with(retries, aws_helpers::sdk::timeouts());
        let connector = SharedHttpConnector::new(self.clone());
        config.into_builder().http_client(http_client_fn(move |_, _| connector.clone())).build()
    }

    /// The calls since this was last asked.
    pub(crate) fn take(&self) -> Vec<Called> {
        std::mem::take(&mut self.seen().calls)
    }

    /// Whether a call of an invocation has failed, as far as it was answered; forgets it.
    pub(crate) fn take_failed(&self, invocation: usize) -> bool {
        self.seen().failed.remove(&invocation)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, request: &HttpRequest, invocation: usize) -> String {
        let body = request.body().bytes().and_then(|body| std::str::from_utf8(body).ok()).unwrap_or_default();
        let target = request.headers().get("x-amz-target").and_then(|target| target.rsplit('.').next());
        let operation = target.or_else(|| parameter(body, "Action")).unwrap_or_default().to_owned();
        let attempt = request.headers().get("amz-sdk-request").unwrap_or_default();
        let about = operation.contains("LifecycleAction").then(|| parameter(body, "InstanceId")).flatten();
        let token = || parameter(body, "LifecycleActionToken").map(str::to_owned);
        let called = Called {
            at: self.fake.now(),
            invocation,
            operation: operation.clone(),
            is_first: !attempt.contains("attempt=") || attempt.contains("attempt=1"),
            about: about.map(|instance| (instance.to_owned(), token())),
        };
        self.seen().calls.push(called);
        operation
    }
}

/// The value of a form's parameter, which needs no decoding here: ids and tokens have none.
fn parameter<'b>(body: &'b str, name: &str) -> Option<&'b str> {
    body.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

impl HttpConnector for Seam {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let invocation = invocation::current().unwrap_or_default();
        let operation = self.note(&request, invocation);
        match self.blinder {
            Some(blinder) if blinder.is_about(&operation) => blinder.call(&self.fake, request),
            _ => {
                let (answer, seam) = (HttpConnector::call(&self.fake, request), self.clone());
                HttpConnectorFuture::new(async move {
                    let answer = answer.await;
                    if !answer.as_ref().is_ok_and(|answer| answer.status().is_success()) {
                        seam.seen().failed.insert(invocation);
                    }
                    answer
                })
            }
        }
    }
}

impl fmt::Debug for Seam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seam").field("blinder", &self.blinder).finish_non_exhaustive()
    }
}
