//! A model's threads: a pool of its own, or none.
//!
//! The thread that asks for something is one of them and does its part; the others sleep while nobody asks. What bits
//! come out must not depend on who does what: an item's work is its own, and is done by one thread.

mod cpus;
mod pool;

use crate::error::Error;
use pool::Pool;
use std::sync::Mutex;

/// The threads that a model computes with.
pub struct Threads {
    // All but the caller.
    pool: Option<Pool>,
    // A cpu for each, the caller's first; none where they are not this process's alone.
    cpus: Vec<usize>,
}

/// The calling thread alone.
pub static ONE: Threads = Threads { pool: None, cpus: Vec::new() };

impl Threads {
    /// `count` threads, the calling one among them; with 0 or 1 it does everything. Where exactly so many of the machine's
    /// cpus are set apart for this process, each thread stays on one of them: see [`Self::pin_caller`].
    ///
    /// # Errors
    /// If the system gives no threads.
    pub fn new(count: usize) -> Result<Self, Error> {
        if count <= 1 {
            return Ok(Self { pool: None, cpus: Vec::new() });
        }
        let cpus = cpus::set_apart(count);
        let pool = Pool::new(count - 1, cpus.get(1..).unwrap_or_default());
        Ok(Self { pool: Some(pool.map_err(|cause| Error::Threads { count, cause: cause.to_string() })?), cpus })
    }

    /// How many there are; at least 1.
    pub fn count(&self) -> usize {
        1 + self.pool.as_ref().map_or(0, Pool::count)
    }

    /// Keeps the calling thread on the cpu that the others leave to it; does nothing where they are not kept on theirs.
    /// Threads that it starts afterwards stay there too.
    pub fn pin_caller(&self) {
        self.cpus.first().into_iter().for_each(|cpu| cpus::pin(*cpu));
    }

    /// `work` on each item, on any of the threads, which take one after the other. A call from within `work`, and one
    /// while another thread's goes on, is done by its caller alone. Allocates nothing.
    ///
    /// # Panics
    /// If `work` does; other items may have been worked on, or not.
    pub fn each<T: Send>(&self, items: impl Iterator<Item = T> + Send, work: impl Fn(T) + Sync) {
        self.each_in(std::iter::repeat(()), items, |(), item| work(item));
    }

    /// As [`Self::each`]; a thread has one of `rooms` for all of its items, and does none if there is no room for it.
    ///
    /// # Panics
    /// As [`Self::each`].
    pub fn each_in<R: Send, T: Send>(
        &self,
        mut rooms: impl Iterator<Item = R> + Send,
        mut items: impl Iterator<Item = T> + Send,
        work: impl Fn(&mut R, T) + Sync,
    ) {
        let most = items.size_hint().1.unwrap_or(usize::MAX);
        let Some(pool) = self.pool.as_ref().filter(|_| most > 1) else {
            return rooms.next().into_iter().for_each(|mut room| items.by_ref().for_each(|item| work(&mut room, item)));
        };
        let (rooms, items) = (Mutex::new(rooms), Mutex::new(items));
        pool.run(most - 1, &|| {
            let Some(mut room) = next(&rooms) else { return };
            while let Some(item) = next(&items) {
                work(&mut room, item);
            }
        });
    }
}

// Where taking one has panicked, there are no more.
fn next<T>(items: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    items.lock().ok().and_then(|mut items| items.next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_item_is_worked_on() {
        for count in [0, 1, 2, 3] {
            let threads = Threads::new(count).unwrap();
            assert_eq!(threads.count(), count.max(1));
            for items in [0u32, 1, 2, 100].repeat(50) {
                let mut squares = vec![0; items as usize];
                threads.each(squares.iter_mut().zip(0..), |(square, n): (&mut u32, u32)| *square = n * n);
                assert_eq!(squares, (0..items).map(|n| n * n).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_thread_keeps_its_room() {
        for count in [1, 2, 4] {
            let threads = Threads::new(count).unwrap();
            // Also fewer rooms than threads.
            for rooms in 1..=count {
                let mut worked = vec![0; rooms];
                threads.each_in(worked.iter_mut(), 0..100, |room, _| **room += 1);
                assert_eq!(worked.iter().sum::<i32>(), 100);
            }
        }
    }

    #[test]
    fn all_threads_take_part() {
        let threads = Threads::new(4).unwrap();
        // Nobody gets beyond it before all are there.
        let all = Barrier::new(4);
        for _ in 0..100 {
            threads.each(0..4, |_| _ = all.wait());
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        let threads = Threads::new(3).unwrap();
        for bad in 0..20 {
            let both = Barrier::new(3);
            let result = catch_unwind(AssertUnwindSafe(|| {
                threads.each(0..20, |n| {
                    // So that each thread meets the bad item now and then.
                    if n < 3 {
                        both.wait();
                    }
                    assert!(n != bad, "item {n}");
                });
            }));
            let said = result.unwrap_err();
            assert_eq!(said.downcast_ref::<String>().unwrap(), &format!("item {bad}"));
        }
        let worked = AtomicUsize::new(0);
        threads.each(0..100, |_| _ = worked.fetch_add(1, Ordering::Relaxed));
        assert_eq!(worked.into_inner(), 100);
    }

    #[test]
    fn calls_from_within_and_from_several_threads_are_done() {
        let threads = Threads::new(3).unwrap();
        let worked = AtomicUsize::new(0);
        let call = || threads.each(0..10, |_| threads.each(0..10, |_| _ = worked.fetch_add(1, Ordering::Relaxed)));
        std::thread::scope(|scope| {
            (0..4).for_each(|_| drop(scope.spawn(|| (0..50).for_each(|_| call()))));
        });
        assert_eq!(worked.into_inner(), 4 * 50 * 100);
    }
}
