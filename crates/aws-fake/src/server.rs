//! The World as a server on loopback, in real time or by a clock in a file.
//!
//! `POST` is AWS; `GET /health`, `GET /history`, `GET /calls` and `GET /metrics` are for whoever watches;
//! `PUT /script` is for what no call can bring about, a spot interruption for instance. `PUT /clock` moves a clock in a
//! file, and tells what has left meanwhile.

use std::{
    collections::BTreeMap, convert::Infallible, io, io::Write, net::Ipv4Addr, path::PathBuf, thread,
    time::Duration,
};

use aws_smithy_async::time::{SystemTimeSource, TimeSource};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::sleep,
};

use crate::{
    FakeAws,
    json::text,
    options::{Options, ScenarioError},
    relay::Relay,
    shared_clock::SharedClock,
    world::{
        Departure, Outgoing, World,
        clock::{Calendar, Moment},
        metrics::Metric,
    },
};

/// The clock moves at least this often, whether or not anybody calls.
const TICK: Duration = Duration::from_millis(50);

/// Longest request body in bytes: DynamoDB takes 16 MB.
const LONGEST_BODY: usize = 1 << 24;

/// Why the server did not start.
#[derive(Debug, Error)]
pub enum ServerError {
    /// There is no scenario to serve.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The port is taken, or standard output is closed.
    #[error("cannot listen: {0}")]
    Io(#[from] io::Error),
    /// There is no clock.
    #[error("cannot make the clock {0}: {1}")]
    Clock(PathBuf, #[source] io::Error),
}

/// Serves until SIGTERM, SIGINT or, if asked for, the end of standard input. When it is ready it writes one
/// line of JSON to standard output: `{"listening":"http://127.0.0.1:…"}`.
pub async fn serve(options: Options) -> Result<(), ServerError> {
    let scenario = options.scenario()?;
    let fake = match &options.clock {
        None => FakeAws::starting(scenario, Calendar::starting(SystemTimeSource::new().now())),
        Some(file) => {
            // The same dates every time.
            let calendar = Calendar::default();
            let clock = SharedClock::create(file, calendar)
                .map_err(|error| ServerError::Clock(file.clone(), error))?;
            FakeAws::on(clock, scenario, calendar)
        }
    };
    if let Some(file) = &options.record {
        fake.with(|world| world.record_calls(file, BTreeMap::new()))?;
    }
    let relay = Relay::new(options.sns_endpoint.as_deref(), options.events_endpoint.as_deref());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let stdin_ended = stdin_end(options.exit_with_stdin);
    announce(&listener)?;
    tokio::select! {
        () = accept(&listener, &fake) => {}
        () = tick(&fake, relay), if fake.clock().is_none() => {}
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
        () = stdin_ended => {}
    }
    Ok(())
}

fn announce(listener: &TcpListener) -> io::Result<()> {
    let listening = json!({"listening": format!("http://{}", listener.local_addr()?)});
    let mut stdout = io::stdout();
    writeln!(stdout, "{listening}")?;
    stdout.flush()
}

/// Ends with standard input, or never. A thread of its own reads it: one of tokio's would hold the process
/// until the next line.
async fn stdin_end(watched: bool) {
    if !watched {
        return std::future::pending().await;
    }
    let (ended, end) = oneshot::channel::<()>();
    thread::spawn(move || {
        // However reading ends, it is over.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        drop(ended);
    });
    // The sender is never used, only dropped.
    let _ = end.await;
}

/// Moves the clock, and hands on what leaves the World.
async fn tick(fake: &FakeAws, relay: Relay) {
    loop {
        let (departed, due) = fake.with(|world| (world.take_outbox(), world.next_due()));
        if !departed.is_empty() {
            let relay = relay.clone();
            tokio::spawn(async move { relay.hand_on(departed).await });
        }
        sleep(due.map_or(TICK, |due| due.saturating_sub(fake.now()).min(TICK))).await;
    }
}

async fn accept(listener: &TcpListener, fake: &FakeAws) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(converse(stream, fake.clone()));
            }
            Err(error) => {
                // Out of file descriptors, most likely: others are about to be closed.
                tracing::warn!(%error, "accepting a connection failed");
                sleep(TICK).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, fake: FakeAws) {
    let service = service_fn(move |request| {
        let fake = fake.clone();
        async move { Ok::<_, Infallible>(respond(&fake, request).await.map(Full::new)) }
    });
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection broke off");
    }
}

async fn respond(fake: &FakeAws, request: Request<Incoming>) -> Response<Bytes> {
    if request.method() == Method::POST {
        let (parts, body) = request.into_parts();
        return match Limited::new(body, LONGEST_BODY).collect().await {
            Ok(body) => fake.call(parts.uri.path(), &parts.headers, &body.to_bytes()).await,
            Err(_) => json_response(StatusCode::PAYLOAD_TOO_LARGE, &json!({})),
        };
    }
    if request.method() == Method::PUT {
        return put(fake, request).await;
    }
    match request.uri().path() {
        "/health" => json_response(StatusCode::OK, &json!({"status": "ok"})),
        "/history" => json_response(StatusCode::OK, &fake.with(|world| history(world))),
        "/calls" => json_response(StatusCode::OK, &fake.with(|world| json!(world.calls_by_operation()))),
        "/metrics" => metrics(fake, request.uri().query()),
        _ => json_response(StatusCode::NOT_FOUND, &json!({})),
    }
}

/// Plays the script of the body, as a scenario has it, or moves the clock.
async fn put(fake: &FakeAws, request: Request<Incoming>) -> Response<Bytes> {
    let path = request.uri().path().to_owned();
    let Ok(body) = Limited::new(request.into_body(), LONGEST_BODY).collect().await else {
        return json_response(StatusCode::PAYLOAD_TOO_LARGE, &json!({}));
    };
    let body = body.to_bytes();
    let answer = match (path.as_str(), fake.clock()) {
        ("/script", _) => serde_json::from_slice(&body).map_err(|error| error.to_string()).map(|script| {
            fake.with(|world| world.play(script));
            json!({})
        }),
        ("/clock", Some(clock)) => serde_json::from_slice(&body)
            .map_err(|error| error.to_string())
            .and_then(|to| move_clock(fake, clock, &to).map_err(|error| error.to_string())),
        _ => return json_response(StatusCode::NOT_FOUND, &json!({})),
    };
    match answer {
        Ok(answer) => json_response(StatusCode::OK, &answer),
        Err(error) => json_response(StatusCode::BAD_REQUEST, &json!({"error": error})),
    }
}

/// A moment, in nanoseconds since the World began. Without one the clock stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct To {
    nanoseconds: Option<u64>,
}

/// Moves the clock on; answers what it says, when the next thing happens by itself, and what has left since this was
/// last asked.
fn move_clock(fake: &FakeAws, clock: &SharedClock, to: &To) -> io::Result<Value> {
    clock.move_to(to.nanoseconds.map_or(Moment::ZERO, Duration::from_nanos))?;
    let nanoseconds = |moment: Moment| u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX);
    Ok(fake.with(|world| {
        let left = world.take_outbox().into_iter().map(|Outgoing { at, what }| match what {
            Departure::Notification { topic, subject, message, .. } => {
                json!({"at": nanoseconds(at), "topic": topic, "subject": subject, "message": message})
            }
            Departure::Event(event) => json!({"at": nanoseconds(at), "event": event}),
        });
        let left: Value = left.collect();
        json!({"now": nanoseconds(world.now()), "due": world.next_due().map(nanoseconds), "left": left})
    }))
}

/// How many metric data there are; or with `?namespace=…`, `name=…` or `dimension.NAME=…` those data, as they were put.
fn metrics(fake: &FakeAws, query: Option<&str>) -> Response<Bytes> {
    let Some(query) = query else {
        return json_response(StatusCode::OK, &json!({"count": fake.with(|world| world.metric_count())}));
    };
    let wanted: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let is_known = |name: &str| matches!(name, "namespace" | "name") || name.starts_with("dimension.");
    if let Some((unknown, _)) = wanted.iter().find(|(name, _)| !is_known(name)) {
        return json_response(StatusCode::BAD_REQUEST, &json!({"unknown": unknown}));
    }
    let is_wanted = |metric: &Metric| {
        wanted.iter().all(|(name, value)| match name.as_str() {
            "namespace" => metric.namespace == *value,
            "name" => metric.name == *value,
            name => metric.dimension(name.trim_start_matches("dimension.")) == Some(value),
        })
    };
    let found = fake.with(|world| {
        let data = world.metric_data().filter(|datum| is_wanted(datum.metric));
        data.map(|datum| datum.to_json()).collect::<Value>()
    });
    json_response(StatusCode::OK, &found)
}

fn history(world: &World) -> Value {
    world.history().iter().map(|entry| entry.to_json(world.calendar())).collect()
}

fn json_response(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(text(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}
