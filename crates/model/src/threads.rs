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

    /// `work` on each item, in any order and on any of the threads.
    pub fn each<T: Send>(&self, items: impl Iterator<Item = T>, work: impl Fn(T) + Sync) {
        match &self.pool {
            Some(pool) => {
                let mut items: Vec<T> = items.collect();
                match items.len() {
                    0 | 1 => items.drain(..).for_each(&work),
                    _ => pool.install(|| items.into_par_iter().for_each(&work)),
                }
            }
            None => items.for_each(&work),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_worked_on() {
        for count in [0, 1, 3] {
            let threads = Threads::new(count).unwrap();
            assert_eq!(threads.count(), count.max(1));
            for items in [0u32, 1, 100] {
                let mut squares = vec![0; items as usize];
                threads.each(squares.iter_mut().zip(0..), |(square, n): (&mut u32, u32)| *square = n * n);
                assert_eq!(squares, (0..items).map(|n| n * n).collect::<Vec<_>>());
            }
        }
    }
}
