//! Progress of long work: a bar on a terminal, a line now and then elsewhere.

use crate::output::Output;
use crate::table::bytes;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often a line is printed where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);

/// Progress in bytes, with rate and time left.
pub(crate) struct Progress {
    output: Output,
    bar: ProgressBar,
    what: &'static str,
    total: Option<u64>,
    started: Instant,
    printed: Mutex<Instant>,
}

impl Progress {
    /// Progress of `what`; without a total there is no time left to tell.
    pub(crate) fn new(output: Output, what: &'static str, total: Option<u64>) -> Self {
        let bar = match (output.bars(), total) {
            (false, _) => ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()),
            (true, Some(total)) => ProgressBar::new(total).with_style(style(
                "{msg} {bar:30} {percent:>3} %  {binary_bytes} of about {binary_total_bytes}  {binary_bytes_per_sec}  {eta} left",
            )),
            (true, None) => ProgressBar::new_spinner().with_style(style("{spinner} {msg}  {binary_bytes}  {binary_bytes_per_sec}")),
        };
        bar.set_message(what);
        let now = Instant::now();
        Self { output, bar, what, total, started: now, printed: Mutex::new(now) }
    }

    /// So many bytes are done in all.
    pub(crate) fn set(&self, done: u64) {
        self.bar.set_length(self.total.unwrap_or(0).max(done));
        self.bar.set_position(done);
        if self.output.bars() || self.output.quiet {
            return;
        }
        let Ok(mut printed) = self.printed.try_lock() else { return };
        if printed.elapsed() < EVERY {
            return;
        }
        *printed = Instant::now();
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        let rate = done as f64 / seconds;
        let left = self
            .total
            .filter(|total| *total > done && rate > 0.0)
            .map(|total| format!(", about {:.0} s left", (total - done) as f64 / rate));
        self.output.note(format_args!(
            "{}: {}, {}/s{}",
            self.what,
            bytes(done),
            bytes(rate as u64),
            left.unwrap_or_default()
        ));
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
