//! Many tasks that begin at once.

use hdrhistogram::Histogram;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Barrier;

/// Runs the work of so many tasks at once. Gives what each of them gave, and the seconds from the first one's beginning to
/// the last one's end, both taken inside the tasks: whoever only starts them may be late to see it.
pub async fn together<T: Send + 'static, F>(tasks: usize, work: impl Fn(usize) -> F) -> (Vec<T>, f64)
where
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(tasks));
    let tasks: Vec<_> = (0..tasks)
        .map(|task| {
            let (start, work) = (Arc::clone(&start), work(task));
            tokio::spawn(async move {
                start.wait().await;
                let began = Instant::now();
                (work.await, began, Instant::now())
            })
        })
        .collect();
    let (mut results, mut times) = (Vec::new(), Vec::new());
    for task in tasks {
        let (result, began, ended) = task.await.expect("a task that ends");
        results.push(result);
        times.push((began, ended));
    }
    (results, seconds(&times))
}

/// From the first beginning to the last end.
pub fn seconds(times: &[(Instant, Instant)]) -> f64 {
    let began = times.iter().map(|(began, _)| began).min();
    let ended = times.iter().map(|(_, ended)| ended).max();
    began.zip(ended).map_or(f64::NAN, |(began, ended)| (*ended - *began).as_secs_f64())
}

/// Durations in nanoseconds.
pub struct Waits(Histogram<u64>);

impl Waits {
    /// Two digits of each, which is little to write for whoever waits for nothing.
    pub fn new() -> Self {
        Self::of_digits(2)
    }

    /// Three digits of each.
    pub fn exact() -> Self {
        Self::of_digits(3)
    }

    fn of_digits(digits: u8) -> Self {
        Self(Histogram::new(digits).expect("so many digits are possible"))
    }

    pub fn record_since(&mut self, asked: Instant) {
        self.0.record(asked.elapsed().as_nanos() as u64).expect("a histogram that grows");
    }

    pub fn sum(all: &[Self]) -> Self {
        let mut sum = all.first().map_or_else(Self::new, |first| Self::of_digits(first.0.sigfig()));
        for waits in all {
            sum.0.add(&waits.0).expect("histograms of one kind");
        }
        sum
    }

    pub fn micros(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1e3
    }
}

/// A runtime of two workers, fresh for each round.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}
