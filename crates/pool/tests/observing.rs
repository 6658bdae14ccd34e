//! What an observer hears.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, Mutex};

use common::*;
use dbkeep_pool::{AcquireFailed, Acquired, Borrower, CareFailed, Closed, Observer, OpenFailed, Opened, Pool};

#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl Diary {
    fn write(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn read(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Diary {
    fn acquired(&self, event: &Acquired) {
        assert!(event.location.file().ends_with("observing.rs"));
        self.write(format!("acquired after {:?}", event.waited));
    }
    fn acquire_failed(&self, event: &AcquireFailed) {
        self.write(format!("acquire failed: {:?} after {:?}", event.kind, event.elapsed));
    }
    fn released(&self, borrower: &Borrower) {
        self.write(format!("released after {:?}", borrower.held));
    }
    fn opened(&self, event: &Opened) {
        self.write(format!("opened in {:?}", event.took));
    }
    fn open_failed(&self, event: &OpenFailed<'_>) {
        let error = event.error.map_or_else(|| "no error".to_owned(), ToString::to_string);
        self.write(format!("open failed: {error}, permanent: {}", event.permanent));
    }
    fn closed(&self, event: &Closed) {
        self.write(format!("closed: {} after {:?} and {} uses", event.reason, event.age, event.uses));
    }
    fn care_failed(&self, event: &CareFailed<'_>) {
        let error = event.error.map_or_else(|| "no error".to_owned(), ToString::to_string);
        self.write(format!("{}: {error}", event.reason));
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_hears_the_whole_story() {
    let diary = Arc::new(Diary::default());
    let world = World::new();
    let pool = Pool::builder(Fake(Arc::clone(&world)))
        .config(lazy(1))
        .observer(Arc::clone(&diary) as Arc<dyn Observer>)
        .build()
        .unwrap();

    world.open.set(Step::FailsForGood);
    assert!(pool.acquire().await.is_err());
    assert_eq!(diary.read(), ["open failed: open refused, permanent: true", "acquire failed: OpenFailed after 0ns"]);

    pool.reset();
    world.open.set(Step::Slow);
    let lease = pool.acquire().await.unwrap();
    assert!(pool.acquire_within(seconds(2)).await.is_err());
    drop(lease);
    // Timers count whole milliseconds, and round up.
    let heard = diary.read();
    assert_eq!(heard.len(), 4, "{heard:?}");
    assert!(heard[0].starts_with("opened in 1"), "{heard:?}");
    assert!(heard[1].starts_with("acquired after 1"), "{heard:?}");
    assert!(heard[2].starts_with("acquire failed: Timeout after 2"), "{heard:?}");
    assert!(heard[3].starts_with("released after 2"), "{heard:?}");

    pass(seconds(1)).await;
    world.open.set(Step::Ok);
    world.check.set(Step::Fails);
    drop(pool.acquire().await.unwrap());
    let heard = diary.read();
    assert_eq!(heard[0], "check_failed: check refused");
    assert!(heard[1].starts_with("closed: check_failed after 3") && heard[1].ends_with("and 1 uses"), "{heard:?}");
    assert!(heard[2].starts_with("opened in 0"), "{heard:?}");

    assert_eq!(pool.close().await, []);
    assert_eq!(diary.read().last().unwrap(), "closed: pool_closed after 0ns and 1 uses");
}
