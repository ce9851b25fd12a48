//! Log lines: one JSON object each, with `timestamp`, `level`, `message`, `function` and, within an
//! invocation, `requestId`, at every log level.
//!
//! The runtime's own subscriber writes no timestamp (so Lambda files every line under INFO) and loses
//! the request id above INFO, where it filters out the span that carries it.
//!
//! A line is one line, and looks like what it is, whatever a message of somebody else's brought into it: what JSON does not
//! escape and a terminal obeys is escaped as well, and a long text is cut.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterFn, LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormattedFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::{LookupSpan, Scope};
use tracing_subscriber::util::SubscriberInitExt;

use crate::emf;

/// The variable in which Lambda passes the log level of `LoggingConfig.ApplicationLogLevel`.
const LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";

/// Starts logging to standard output, for the life of the process.
pub fn install(function: &'static str) {
    let level = std::env::var_os(LEVEL).and_then(|level| level.into_string().ok());
    let subscriber = subscriber(function, level.as_deref(), std::io::stdout);
    // A second call changes nothing: the first subscriber stays.
    let _ = subscriber.try_init();
}

/// What [`install`] installs, for any writer: for tests of what a function logs. `level` is one of Lambda's words.
pub fn subscriber<W>(function: &'static str, level: Option<&str>, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    use tracing_subscriber::Layer as _;
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Lines { function })
        .fmt_fields(JsonFields::new())
        .with_writer(writer);
    tracing_subscriber::registry().with(lines.with_filter(admitted(function, threshold(level))))
}

/// Lambda's six levels; FATAL has no counterpart here and admits what ERROR does.
fn threshold(level: Option<&str>) -> LevelFilter {
    match level.unwrap_or_default().to_ascii_uppercase().as_str() {
        "TRACE" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "WARN" => LevelFilter::WARN,
        "ERROR" | "FATAL" => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    }
}

/// Of the function's own crate (named like it) and of this one, what the level admits. All others are
/// heard from WARN on: the SDK logs bodies at DEBUG.
fn admitted(function: &str, level: LevelFilter) -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    let function = function.replace('-', "_");
    filter_fn(move |metadata| {
        let root = metadata.target().split("::").next().unwrap_or_default();
        let ours = root == function || root == "aws_helpers";
        let most = if ours { level } else { level.min(LevelFilter::WARN) };
        // The runtime's span carries the request id, and metrics are no matter of level: both always pass.
        let carries_request_id = metadata.is_span() && root == "lambda_runtime";
        carries_request_id || metadata.target() == emf::TARGET || metadata.level() <= &most
    })
}

/// Most bytes of a text in a line. A name of AWS's has 2,048 at most, an explanation of ours some hundred.
const LONGEST: usize = 4_096;

/// A text, cut where it is too long.
fn cut(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len())
}

/// A JSON text in which nothing is left that a terminal obeys, or that lets a text look like another: JSON itself escapes
/// what is below the blank, but not DEL, the second set of control characters, other line ends, and marks of direction.
fn readable(json: &str) -> String {
    let obeyed = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if obeyed(c) {
            // Writing into a text does not fail.
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

struct Lines {
    function: &'static str,
}

impl<S, F> FormatEvent<S, F> for Lines
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    F: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, F>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if event.metadata().target() == emf::TARGET {
            let mut document = Document::default();
            event.record(&mut document);
            return writeln!(writer, "{}", document.0);
        }
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut line = Map::new();
        line.insert("timestamp".to_owned(), timestamp.into());
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.insert("function".to_owned(), self.function.into());
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<F>>().map(|fields| fields.fields.as_str());
            if let Some(Ok(fields)) = fields.map(serde_json::from_str::<Map<String, Value>>) {
                line.extend(fields);
            }
        }
        event.record(&mut Fields(&mut line));
        line.entry("message").or_insert_with(|| event.metadata().target().into());
        writeln!(writer, "{}", readable(&Value::Object(line).to_string()))
    }
}

struct Fields<'l>(&'l mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, cut(&format!("{value:?}")));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, cut(value));
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}

/// A document of metrics, as it is.
#[derive(Default)]
struct Document(String);

impl Visit for Document {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is written at a level.
    fn written(level: Option<&str>, log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        tracing::subscriber::with_default(subscriber("a-function", level, move || writer.clone()), log);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    /// What is logged at a level: our lines, another crate's, inside the runtime's span.
    fn logged(level: Option<&str>) -> Vec<Map<String, Value>> {
        let text = written(level, || {
            let span = tracing::info_span!(target: "lambda_runtime::layers::trace", "Lambda runtime invoke", requestId = "r-1");
            let _inside = span.enter();
            tracing::debug!(target: "a_function::act", "looking");
            tracing::info!(target: "a_function::act", pass = 3, empty = true, "waiting");
            tracing::warn!(target: "a_function", "slow");
            tracing::error!(target: "a_function", "failed \"here\"\n");
            tracing::debug!(target: "aws_smithy_runtime::client", "a body");
            tracing::info!(target: "hyper", "noise");
            tracing::error!(target: "lambda_runtime", "runtime failed");
        });
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    #[test]
    fn lambdas_level_admits_our_lines_and_only_warnings_of_others() {
        let errors = vec!["failed \"here\"\n", "runtime failed"];
        let warnings = [vec!["slow"], errors.clone()].concat();
        let infos = [vec!["waiting"], warnings.clone()].concat();
        let debugs = [vec!["looking"], infos.clone()].concat();
        for (level, expected) in [
            (None, infos.clone()),
            (Some("INFO"), infos.clone()),
            (Some("nonsense"), infos),
            (Some("TRACE"), debugs.clone()),
            (Some("debug"), debugs),
            (Some("WARN"), warnings),
            (Some("ERROR"), errors.clone()),
            (Some("FATAL"), errors),
        ] {
            let lines = logged(level);
            let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
            assert_eq!(messages, expected, "{level:?}");
        }
    }

    #[test]
    fn every_line_has_the_five_keys_at_every_level() {
        for level in ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] {
            for line in logged(Some(level)) {
                assert_eq!(line["function"], "a-function", "{level}: {line:?}");
                assert_eq!(line["requestId"], "r-1", "{level}: {line:?}");
                let timestamp = line["timestamp"].as_str().unwrap();
                assert!(timestamp.ends_with('Z') && timestamp.len() >= 20, "{timestamp}");
                assert!(line["level"].is_string() && line["message"].is_string(), "{line:?}");
            }
        }
    }

    #[test]
    fn metrics_are_lines_of_their_own_at_every_level() {
        let document = emf::Document {
            namespace: "ECS".to_owned(),
            at: 0,
            dimensions: [("ClusterName", "a \"b\"".to_owned())].into(),
            metrics: vec![emf::Metric::new("RunningTask", "Count", 1, vec![7.0])],
        };
        for level in [None, Some("WARN"), Some("FATAL")] {
            let written = written(level, || document.log());
            assert_eq!(written.lines().collect::<Vec<_>>(), document.lines(), "{level:?}");
        }
    }

    #[test]
    fn a_line_stays_one_line_that_looks_like_what_it_is() {
        let forged = "a\n{\"level\":\"INFO\"}\r\u{1b}[2K\u{7f}\u{85}\u{9b}31m\u{2028}\u{202e}\u{2066}ö";
        let text = written(None, || {
            tracing::info!(target: "a_function", forged, "forged: {forged}");
            tracing::info!(target: "a_function", debugged = ?forged, "the same");
        });
        assert_eq!(text.lines().count(), 2, "{text}");
        let hidden = |c: char| c.is_control() && c != '\n' || ('\u{2028}'..='\u{2069}').contains(&c);
        assert!(!text.contains(hidden), "{text:?}");
        let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(
            (&line["forged"], &line["message"]),
            (&json!(forged), &json!(format!("forged: {forged}")))
        );
    }

    #[test]
    fn a_long_text_is_cut() {
        let long = "ö".repeat(100_000);
        let text = written(None, || tracing::info!(target: "a_function", long, other = ?long, "{long}"));
        assert!(text.len() < 3 * (LONGEST + 30) + 200, "{}", text.len());
        assert!(text.contains("ö… (200000 bytes)"), "{text}");
        assert_eq!(cut(&"x".repeat(LONGEST)).len(), LONGEST);
    }

    #[test]
    fn fields_keep_their_types() {
        let lines = logged(Some("INFO"));
        assert_eq!((&lines[0]["pass"], &lines[0]["empty"]), (&Value::from(3), &Value::from(true)));
    }
}
