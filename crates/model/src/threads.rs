//! A model's threads: a pool of its own, or none.

use crate::error::Error;
use rayon::prelude::*;

/// The threads that a model computes with.
pub struct Threads {
    pool: Option<rayon::ThreadPool>,
}

/// The calling thread alone.
pub static ONE: Threads = Threads { pool: None };

impl Threads {
    /// `count` threads; with 0 or 1 the calling thread does everything.
    ///
    /// # Errors
    /// If the system gives no threads.
    pub fn new(count: usize) -> Result<Self, Error> {
        if count <= 1 {
            return Ok(Self { pool: None });
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(count).thread_name(|index| format!("compute-{index}")).build();
        Ok(Self { pool: Some(pool.map_err(|cause| Error::Threads { count, cause: cause.to_string() })?) })
    }

    /// How many there are; at least 1.
    pub fn count(&self) -> usize {
        self.pool.as_ref().map_or(1, rayon::ThreadPool::current_num_threads)
    }

    /// Does `work` on the pool, or right here if there is none.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// `work` on each item, with a `scratch` that follows items on one thread; results in the items' order.
    /// The result of an item must not depend on the scratch's content.
    pub fn map<T: Send, S, R: Send>(&self, items: Vec<T>, scratch: impl Fn() -> S + Sync, work: impl Fn(&mut S, T) -> R + Sync) -> Vec<R> {
        match &self.pool {
            Some(pool) => pool.install(|| items.into_par_iter().map_init(&scratch, &work).collect()),
            None => {
                let mut scratch = scratch();
                items.into_iter().map(|item| work(&mut scratch, item)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order() {
        for count in [0, 1, 3] {
            let threads = Threads::new(count).unwrap();
            assert_eq!(threads.count(), count.max(1));
            assert_eq!(threads.map((0..100).collect(), || (), |(), n: i32| n * n), (0..100).map(|n| n * n).collect::<Vec<_>>());
        }
    }
}
