//! Hears what is logged, field by field.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

/// The lines logged under `dbkeep` by this thread while it lives.
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    _guard: DefaultGuard,
}

impl Log {
    pub(crate) fn listen() -> Self {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let guard = tracing::subscriber::set_default(Listener(lines.clone()));
        Self { lines, _guard: guard }
    }

    /// The lines of a target so far: level, message, fields in their order. Durations stand as `…`.
    pub(crate) fn lines(&self, target: &str) -> Vec<String> {
        let start = format!("{target} ");
        let lines = self.lines.lock().unwrap();
        lines.iter().filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect()
    }

    /// Everything, to look for what must not be there.
    pub(crate) fn text(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

struct Listener(Arc<Mutex<Vec<String>>>);

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("dbkeep")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let line = format!("{} {} {}{}", metadata.target(), metadata.level(), fields.message, fields.others);
        self.0.lock().unwrap().push(line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Fields {
    message: String,
    others: String,
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        assert!(value >= 0.0, "{field} {value}");
        let _ = write!(self.others, " {field}=…");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            "pause_ms" => write!(self.others, " {field}=…"),
            _ => write!(self.others, " {field}={value:?}"),
        };
    }
}
