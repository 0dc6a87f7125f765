//! The driver that a job's mode asks for.

use crate::{Arrival, Driver, Effect, Input};
use tfcoord_types::id::{Generation, Incarnation};
use tfcoord_types::job::Train;

/// A driver of either kind.
#[derive(Debug)]
pub enum Worker {
    /// Of a worker that goes together with the others.
    Together(Box<Driver>),
    /// Of one that does not.
    Alone(Box<Arrival>),
}

impl Worker {
    /// The driver of a worker in a job that is trained so, without a view.
    pub fn new(incarnation: Incarnation, train: &Train) -> Self {
        if train.is_bsp() {
            Self::Together(Box::new(Driver::new(incarnation)))
        } else {
            Self::Alone(Box::new(Arrival::new(incarnation, train.clone())))
        }
    }

    /// Takes `input` and adds what follows from it to `effects`. After `Stop`, `Fenced` or `Fail` nothing follows.
    pub fn apply(&mut self, input: Input, effects: &mut Vec<Effect>) {
        match self {
            Self::Together(driver) => driver.apply(input, effects),
            Self::Alone(driver) => driver.apply(input, effects),
        }
    }

    /// The newest view's generation; 0 before the first one.
    pub fn generation(&self) -> Generation {
        match self {
            Self::Together(driver) => driver.generation(),
            Self::Alone(driver) => driver.generation(),
        }
    }

    /// The step that it works on; 0 before it knows.
    pub fn step(&self) -> u64 {
        match self {
            Self::Together(driver) => driver.step(),
            Self::Alone(driver) => driver.step(),
        }
    }
}
