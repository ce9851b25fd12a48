//! What the function logs, with the virtual time.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::sync::Once;

use aws_fake::FakeAws;
use aws_fake::plumbing::invocation;
use aws_fake::world::clock::Moment;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

/// A log line of the function.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Moment,
    pub(crate) level: Level,
    /// The invocation that wrote it.
    pub(crate) invocation: Option<usize>,
    pub(crate) message: String,
    /// The field `instance`, which every line about a drain has.
    pub(crate) instance: Option<String>,
    /// The other fields, as text.
    pub(crate) fields: String,
}

struct Sink {
    clock: FakeAws,
    lines: Vec<Line>,
}

thread_local! {
    /// Each thread runs one world at a time.
    static SINK: RefCell<Option<Sink>> = const { RefCell::new(None) };
}

/// Takes what the functions log in this thread from now on, with this world's time.
pub(crate) fn begin(clock: &FakeAws) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Somebody else's subscriber, in a test of their own, would only keep the lines to itself.
        let _ = tracing::subscriber::set_global_default(Lines);
    });
    SINK.set(Some(Sink { clock: clock.clone(), lines: Vec::new() }));
}

/// The lines since this was last asked.
pub(crate) fn take() -> Vec<Line> {
    SINK.with_borrow_mut(|sink| sink.as_mut().map(|sink| std::mem::take(&mut sink.lines)).unwrap_or_default())
}

/// Writes no more.
pub(crate) fn end() {
    SINK.set(None);
}

/// The crates whose lines are kept.
const OURS: [&str; 2] = ["ecs_drainer", "spot_interruption"];

/// A subscriber without spans: cheap enough for millions of calls.
struct Lines;

fn is_ours(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO && OURS.iter().any(|name| metadata.target().starts_with(name))
}

impl Subscriber for Lines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_ours(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_ours(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        SINK.with_borrow_mut(|sink| {
            let Some(sink) = sink else { return };
            let mut text = Text::default();
            event.record(&mut text);
            sink.lines.push(Line {
                at: sink.clock.now(),
                level: *event.metadata().level(),
                invocation: invocation::current(),
                message: text.message,
                instance: text.instance,
                fields: text.fields,
            });
        });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Text {
    message: String,
    instance: Option<String>,
    fields: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "instance" {
            self.instance = Some(value.to_owned());
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing into a text does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            "instance" => {
                self.instance = Some(format!("{value:?}").trim_matches('"').to_owned());
                Ok(())
            }
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
