//! A seeded simulator of the whole: the production cores (coordinator with its log, journal, presence and reconciler,
//! parameter servers, workers' drivers) as processes on a simulated machine, with a virtual clock, a network, a disk and
//! an engine that fail as real ones do. One seed tells everything; two runs of one seed are equal to the byte.
//!
//! ```text
//!   seed ──► plan: jobs, tasks, faults        safety phase: faults           liveness phase: none
//!                                      0 ───────────────────────────► healed ──────────────────► all has ended
//!                                          laws hold at every event            in bounded virtual time; the bits
//!                                                                              are those of the quiet run
//! ```
//!
//! What may go wrong is a table ([`faults`]); what must hold is a file a law (`invariants/`). A run that breaks a law
//! panics with its name; [`check`] turns that into a text that tells how to run it again.

#![allow(clippy::unwrap_used, reason = "for tests only")]

mod chance;
mod client;
mod coordinator;
mod disk;
mod faults;
mod invariants;
mod launcher;
mod message;
mod model;
mod nature;
mod queue;
mod server;
mod session;
mod store;
mod tally;
mod trace;
mod worker;
mod world;

pub use tally::Tally;

use model::{EPOCHS, Mode, Recipe};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use world::{Outcome, Plan, run};

/// What a run of a seed was like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Of all that happened: two runs of one seed have the same.
    pub digest: u64,
    /// How much happened.
    pub lines: u64,
    /// How long it took in virtual time, in microseconds.
    pub virtual_us: u64,
    /// How often what happened.
    pub tally: Tally,
}

/// Runs a seed; `aloud`: prints everything that happens.
///
/// # Errors
/// Which law was broken, and how to see it happen again.
pub fn check(seed: u64, aloud: bool) -> Result<Run, String> {
    let checked = catch_unwind(AssertUnwindSafe(|| {
        let outcome = run(Plan::of(seed), aloud);
        judge(&outcome);
        outcome
    }));
    let said = |panic: Box<dyn std::any::Any + Send>| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    };
    match checked {
        Ok(Outcome { digest, lines, virtual_us, tally, .. }) => Ok(Run { digest, lines, virtual_us, tally }),
        Err(panic) => {
            let law = said(panic);
            Err(format!("seed {seed}: {law}\nreproduce: TFCOORD_SIM_SEED={seed} cargo test -p tfcoord-sim --test seeds -- --nocapture"))
        }
    }
}

// The results of a run are those of the quiet run of the same recipe.
fn judge(outcome: &Outcome) {
    for (recipe, result) in &outcome.results {
        let quiet = quiet(*recipe);
        assert_eq!(result.left.curve, quiet.left.curve, "law broken: the curve's bits are the quiet run's ({recipe:?})");
        assert!(result.left.parameters == quiet.left.parameters, "law broken: the parameters' bits are the quiet run's ({recipe:?})");
        assert_eq!(result.files, quiet.files, "law broken: the files are the quiet run's ({recipe:?})");
        if recipe.mode == Mode::Bsp {
            assert_eq!(result.evaluations, quiet.evaluations, "law broken: evaluations are the quiet run's ({recipe:?})");
        } else {
            let steps = |result: &world::Result| result.evaluations.iter().map(|evaluation| evaluation.step).collect::<Vec<_>>();
            assert_eq!(steps(result), steps(&quiet), "law broken: each epoch is evaluated ({recipe:?})");
        }
    }
}

// Known once a recipe.
fn quiet(recipe: Recipe) -> world::Result {
    static KNOWN: Mutex<BTreeMap<Recipe, world::Result>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let result = known.entry(recipe).or_insert_with(|| {
        let (_, result) = run(Plan::quiet(recipe), false).results.swap_remove(0);
        if recipe.counting {
            let counted = (EPOCHS as f32).to_bits();
            // All but the curve.
            let (_, counts) = result.left.parameters.split_last().expect("there is a curve");
            assert_eq!(counts.len(), if recipe.own.is_some() { 4 } else { 2 });
            assert!(counts.iter().flatten().all(|count| *count == counted), "law broken: each record counts once an epoch");
        }
        result
    });
    result.clone()
}
