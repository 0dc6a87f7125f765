//! Threads that help a caller with its work, and sleep while there is none.
//!
//! A call sets out work with as many places as helpers are wanted, wakes sleepers, and works itself. A helper that comes
//! takes a place; once the caller has nothing left to do it closes the work and waits for those inside, so one that has
//! not woken yet is not waited for. Between two calls of a step, helpers look for the next one for [`PATIENCE`] before they
//! sleep; so does the caller for the last helper to leave. Nothing is allocated, nothing runs while nobody calls.
#![allow(unsafe_code)] // helpers see work that lives on the caller's stack: `run` does not return while they may

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a thread looks for what it waits for before it sleeps: about what waking takes.
const PATIENCE: Duration = Duration::from_micros(30);

type Work = &'static (dyn Fn() + Sync);

pub(super) struct Pool {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    // Both are changed under the lock only; who looks without it looks again with it.
    calls: AtomicUsize,
    inside: AtomicUsize,
    // Work was set out.
    wanted: Condvar,
    // The last helper has left, or one has started.
    left: Condvar,
}

#[derive(Default)]
struct State {
    // From the beginning of a call to its end.
    taken: bool,
    work: Option<Work>,
    // How many more may take part in it.
    places: usize,
    asleep: usize,
    panic: Option<Box<dyn Any + Send>>,
    // Helpers that run.
    started: usize,
    ending: bool,
}

impl Pool {
    /// `count` helpers, each kept on the cpu of its place in `cpus` if there is one.
    pub fn new(count: usize, cpus: &[usize]) -> io::Result<Self> {
        let mut pool = Self { shared: Arc::default(), helpers: Vec::with_capacity(count) };
        for index in 0..count {
            let (shared, cpu) = (pool.shared.clone(), cpus.get(index).copied());
            let help = move || {
                cpu.into_iter().for_each(super::cpus::pin);
                shared.help();
            };
            pool.helpers.push(std::thread::Builder::new().name(format!("compute-{}", index + 1)).spawn(help)?);
        }
        // What starting takes is no step's.
        let mut state = pool.shared.lock();
        while state.started < count {
            state = pool.shared.left.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        Ok(pool)
    }

    /// How many helpers there are.
    pub fn count(&self) -> usize {
        self.helpers.len()
    }

    /// Calls `work` on this thread and on up to `most` helpers, as they come, and waits for all of them. It must have
    /// nothing left to do once any of the calls returns. If the helpers are taken, this thread is alone.
    ///
    /// # Panics
    /// If one of the calls does.
    pub fn run(&self, most: usize, work: &(dyn Fn() + Sync)) {
        if !self.shared.open(most.min(self.count()), work) {
            return work();
        }
        let mine = catch_unwind(AssertUnwindSafe(work)).err();
        let theirs = self.shared.close();
        if let Some(panic) = mine.or(theirs) {
            resume_unwind(panic);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().ending = true;
        self.shared.calls.fetch_add(1, Ordering::Release);
        self.shared.wanted.notify_all();
        for helper in self.helpers.drain(..) {
            // It catches what panics.
            let _ended = helper.join();
        }
    }
}

impl Shared {
    // Nobody panics while holding it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // Sets out work; false if another call goes on.
    fn open(&self, places: usize, work: &(dyn Fn() + Sync)) -> bool {
        let mut state = self.lock();
        if state.taken {
            return false;
        }
        // SAFETY: only the lifetime changes. Helpers get the reference from `State::work` alone, under the lock, and count
        // as inside while they have it; `Pool::run`, which holds `work`, calls `close` before it returns or unwinds, and
        // that takes the reference away and waits until none is inside.
        let work = unsafe { std::mem::transmute::<&(dyn Fn() + Sync), Work>(work) };
        (state.taken, state.work, state.places) = (true, Some(work), places);
        self.calls.fetch_add(1, Ordering::Release);
        let sleepers = places.min(state.asleep);
        drop(state);
        (0..sleepers).for_each(|_| self.wanted.notify_one());
        true
    }

    // Ends the call that `open` began; gives what a helper's part has panicked with.
    fn close(&self) -> Option<Box<dyn Any + Send>> {
        let mut state = self.lock();
        (state.work, state.places) = (None, 0);
        if self.inside.load(Ordering::Relaxed) > 0 {
            drop(state);
            look(|| self.inside.load(Ordering::Relaxed) == 0);
            state = self.lock();
            while self.inside.load(Ordering::Relaxed) > 0 {
                state = self.left.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        state.taken = false;
        state.panic.take()
    }

    // The life of a helper.
    fn help(&self) {
        self.lock().started += 1;
        self.left.notify_one();
        let mut seen = 0;
        while let Some(work) = self.next(&mut seen) {
            let panic = catch_unwind(AssertUnwindSafe(work)).err();
            let mut state = self.lock();
            state.panic = state.panic.take().or(panic);
            if self.inside.fetch_sub(1, Ordering::Relaxed) == 1 {
                self.left.notify_one();
            }
        }
    }

    // Work that this helper has not seen, and is inside of from now on; nothing at the end.
    fn next(&self, seen: &mut usize) -> Option<Work> {
        look(|| self.calls.load(Ordering::Acquire) != *seen);
        let mut state = self.lock();
        while !state.ending {
            let call = self.calls.load(Ordering::Relaxed);
            if std::mem::replace(seen, call) != call
                && state.places > 0
                && let Some(work) = state.work
            {
                state.places -= 1;
                self.inside.fetch_add(1, Ordering::Relaxed);
                return Some(work);
            }
            state.asleep += 1;
            state = self.wanted.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.asleep -= 1;
        }
        None
    }
}

// Waits for `there`, but not long.
fn look(there: impl Fn() -> bool) {
    const BETWEEN: usize = 32;
    let begun = Instant::now();
    loop {
        for _ in 0..BETWEEN {
            if there() {
                return;
            }
            std::hint::spin_loop();
        }
        if begun.elapsed() > PATIENCE {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helpers_sleep_while_nobody_calls() {
        let pool = Pool::new(2, &[]).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        for _ in 0..20 {
            pool.run(2, &|| ());
            // waits for: both to find nothing more
            while pool.shared.lock().asleep < 2 {
                assert!(Instant::now() < deadline, "they are awake");
                std::thread::yield_now();
            }
        }
    }
}
