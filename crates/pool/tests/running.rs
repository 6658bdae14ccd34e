//! What can be changed while a pool runs: suspended and resumed, warmed up, other settings.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, Mutex};

use common::*;
use dbkeep_pool::{AcquireErrorKind, Config, Health, Observer, Pool};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_suspended_pool_lends_nothing_until_it_is_resumed() {
    let world = World::new();
    let pool = world.pool(lazy(2));
    let lease = pool.acquire().await.unwrap();
    drop(pool.acquire().await.unwrap());
    pool.suspend();
    assert!(pool.stats().suspended);
    let error = pool.try_acquire().unwrap_err();
    assert_eq!(error.kind(), AcquireErrorKind::Exhausted);
    assert_eq!(error.hint(), "lending is suspended: call resume");
    let error = pool.acquire_within(millis(100)).await.unwrap_err();
    assert!(error.is_timeout());
    assert!(error.to_string().contains("lending is suspended, 1 of 2 in use"), "{error}");

    let waiters: Vec<_> = (0..2)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.acquire().await.map(|lease| (lease.id, Instant::now())) })
        })
        .collect();
    pass(seconds(1)).await;
    drop(lease);
    pass(seconds(1)).await;
    // Both rest although somebody waits.
    assert_eq!((pool.stats().idle, pool.stats().waiting), (2, 2));
    let resumed = Instant::now();
    pool.resume();
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap().unwrap().1, resumed);
    }
    assert_whole(&world, &pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_suspended_pool_can_be_closed() {
    let world = World::new();
    let pool = world.pool(lazy(2));
    drop(pool.acquire().await.unwrap());
    pool.suspend();
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await.map(drop) }
    });
    pass(millis(1)).await;
    assert!(pool.close().await.is_empty());
    assert_eq!(waiter.await.unwrap().unwrap_err().kind(), AcquireErrorKind::Closed);
    assert_eq!(world.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn warming_up_opens_as_many_as_are_asked_for() {
    let world = World::new();
    world.open.set(Step::Slow);
    let pool = world.pool(lazy(8).max_connecting(4));
    let began = Instant::now();
    pool.warm_up(6).await.unwrap();
    assert_eq!((world.alive(), pool.stats().idle, began.elapsed()), (6, 6, seconds(2)));
    pool.warm_up(3).await.unwrap();
    // Never more than there may be.
    pool.warm_up(100).await.unwrap();
    assert_eq!((world.alive(), world.peak()), (8, 8));
    // Nobody came: they go again.
    pass(seconds(301)).await;
    assert_eq!(world.alive(), 0);

    world.open.set(Step::Fails);
    let error = pool.warm_up(2).await.unwrap_err();
    assert_eq!(error.kind(), AcquireErrorKind::OpenFailed);
    pass(seconds(60)).await;
    let attempts = world.open.calls();
    pass(seconds(60)).await;
    assert_eq!(world.open.calls(), attempts, "a pool that could not be warmed goes on trying");
    assert_whole(&world, &pool).await;
}

#[tokio::test(start_paused = true)]
async fn warming_up_ends_when_the_pool_is_closed() {
    let world = World::new();
    world.open.set(Step::Never);
    let pool = world.pool(lazy(2));
    let warming = tokio::spawn({
        let pool = pool.clone();
        async move { pool.warm_up(2).await }
    });
    pass(millis(1)).await;
    pool.close().await;
    assert_eq!(warming.await.unwrap().unwrap_err().kind(), AcquireErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn warming_up_ends_when_the_pool_is_made_smaller_meanwhile() {
    let world = World::new();
    let pool = world.pool(lazy(2));
    let kept = pool.acquire().await.unwrap();
    // One is lent; the other keeps its place until it is closed.
    drop(pool.acquire().await.unwrap());
    world.close.set(Step::Slow);
    pool.reset();
    let warm_up = tokio::spawn({
        let pool = pool.clone();
        async move { pool.warm_up(2).await.map_err(|error| error.kind()) }
    });
    pass(millis(1)).await;
    pool.resize(1, 0).unwrap();
    assert_eq!(tokio::time::timeout(seconds(3600), warm_up).await.unwrap().unwrap(), Ok(()));
    drop(kept);
}

#[tokio::test(start_paused = true)]
async fn settings_can_be_changed_while_the_pool_runs() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    let lease = pool.acquire().await.unwrap();
    let began = Instant::now();
    assert!(pool.acquire().await.unwrap_err().is_timeout());
    assert_eq!(began.elapsed(), seconds(30));

    let config = pool.config().acquire_timeout(millis(200)).validate_after(seconds(3600));
    pool.reconfigure(config).unwrap();
    let began = Instant::now();
    let error = pool.acquire().await.unwrap_err();
    assert_eq!(began.elapsed(), millis(200));
    assert!(error.to_string().starts_with("no connection from pool \"test\" within 200.0ms"), "{error}");
    drop(lease);
    pass(seconds(60)).await;
    drop(pool.acquire().await.unwrap());
    assert_eq!(world.check.calls(), 0, "what worked within the hour is not checked");

    let error = pool.reconfigure(config.max(1).min(2)).unwrap_err();
    assert_eq!((error.setting(), pool.config()), ("min", config));
    // More may be lent at once.
    pool.reconfigure(config.max(3).min(2)).unwrap();
    pass(millis(1)).await;
    assert_eq!(pool.stats().size, 2);
    pool.reconfigure(config.max(1)).unwrap();
    pass(millis(1)).await;
    assert_eq!((pool.stats().size, world.alive()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_kept_alive() {
    let world = World::new();
    let pool = world.pool(Config::new().max(2).min(1).keepalive(seconds(60)));
    drop(pool.acquire().await.unwrap());
    pass(seconds(59)).await;
    assert_eq!(world.check.calls(), 0);
    pass(seconds(2)).await;
    assert_eq!((world.check.calls(), pool.stats().idle), (1, 1));
    pass(seconds(600)).await;
    assert_eq!(world.check.calls(), 11);
    assert_eq!((world.open.calls(), pool.stats().health), (1, Health::Up));
    // One that does not answer is replaced before anybody asks for it.
    world.check.set(Step::Fails);
    pass(seconds(60)).await;
    assert_eq!((world.open.calls(), pool.stats().idle), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn being_kept_alive_is_no_use() {
    let world = World::new();
    let pool = world.pool(lazy(2).keepalive(seconds(60)));
    drop(pool.acquire().await.unwrap());
    pass(seconds(299)).await;
    assert_eq!(world.alive(), 1);
    pass(seconds(2)).await;
    assert_eq!(world.alive(), 0, "idle for five minutes, however often it was checked");
}

#[tokio::test(start_paused = true)]
async fn times_are_counted_by_what_they_are_spent_on_and_by_who_asked() {
    let world = World::new();
    world.open.set(Step::Slow);
    let pool = world.pool(lazy(1).validate_after(seconds(60)));
    for _ in 0..16 {
        let lease = pool.acquire().await.unwrap();
        let waiter = tokio::spawn({
            let pool = pool.clone();
            async move { drop(pool.acquire().await.unwrap()) }
        });
        pass(millis(30)).await;
        drop(lease);
        waiter.await.unwrap();
    }
    let times = pool.times();
    assert_eq!((times.open.count(), times.open.total()), (1, seconds(1)));
    // One waited for the opening, sixteen for another's lease, the others for nothing.
    assert_eq!((times.wait.count(), times.wait.longest()), (32, seconds(1)));
    assert_eq!(times.wait.total(), seconds(1) + millis(30) * 16);
    assert_eq!(times.wait.quantile(0.4), millis(0));
    let median = times.wait.quantile(0.6);
    assert!(median >= millis(30) && median <= millis(34), "{median:?}");
    // Of one loan in sixteen: the first and the seventeenth, which are two of those that lasted.
    assert_eq!((times.held.count(), times.held.longest()), (2, millis(30)));
    assert_eq!(times.call_sites.len(), 1);
    assert_eq!(times.call_sites[0].held.total(), millis(30) * 2);
    assert!(times.call_sites[0].location.file().ends_with("running.rs"));
    assert_eq!(pool.stats().use_total, millis(30) * 16);
}

#[derive(Default)]
struct Told(Mutex<Vec<(Health, Health)>>);

impl Observer for Told {
    fn health_changed(&self, before: Health, now: Health) {
        self.0.lock().unwrap().push((before, now));
    }
}

#[tokio::test(start_paused = true)]
async fn observers_hear_of_an_outage_and_of_its_end() {
    let world = World::new();
    let told = Arc::new(Told::default());
    let pool =
        Pool::builder(Fake(Arc::clone(&world))).config(lazy(1)).observer(Arc::clone(&told) as _).build().unwrap();
    let mut lease = pool.acquire().await.unwrap();
    lease.break_it();
    world.open.set(Step::Fails);
    drop(lease);
    pool.acquire().await.unwrap_err();
    pass(seconds(2)).await;
    world.open.set(Step::Slow);
    drop(pool.acquire().await.unwrap());
    use Health::{Down, HalfOpen, Suspect, Up};
    assert_eq!(*told.0.lock().unwrap(), [(Up, Suspect), (Suspect, Down), (Down, HalfOpen), (HalfOpen, Up)]);
}

/// A pool that works, and was once refused a second connection.
async fn refused_once(world: &Arc<World>, config: Config, told: &Arc<Told>) -> Pool<Fake> {
    let pool = Pool::builder(Fake(Arc::clone(world))).config(config).observer(Arc::clone(told) as _).build().unwrap();
    let lease = pool.acquire().await.unwrap();
    world.open.set(Step::Fails);
    assert!(pool.acquire_within(millis(50)).await.unwrap_err().is_timeout());
    drop(lease);
    world.open.set(Step::Ok);
    told.0.lock().unwrap().clear();
    pool
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_is_closed_reports_no_outage() {
    let (world, told) = (World::new(), Arc::new(Told::default()));
    let pool = refused_once(&world, lazy(2), &told).await;
    pool.close().await;
    assert_eq!(*told.0.lock().unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_pool_whose_last_connection_was_idle_too_long_reports_no_outage() {
    let (world, told) = (World::new(), Arc::new(Told::default()));
    let pool = refused_once(&world, lazy(2).idle_timeout(seconds(60)), &told).await;
    pass(seconds(10)).await;
    drop(pool.acquire().await.unwrap());
    pass(seconds(120)).await;
    assert_eq!(pool.stats().size, 0);
    assert_ne!(pool.stats().health, Health::Down, "nothing was tried that could have failed");
    assert!(!told.0.lock().unwrap().iter().any(|(_, now)| *now == Health::Down));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_proves_to_work_ends_the_suspicion_after_a_failure_to_open() {
    let (world, told) = (World::new(), Arc::new(Told::default()));
    let pool = refused_once(&world, lazy(2), &told).await;
    pass(seconds(10)).await;
    drop(pool.acquire().await.unwrap());
    assert_eq!((world.check.calls(), pool.stats().health), (1, Health::Up));
}
