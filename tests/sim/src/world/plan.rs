//! What a run is like, from its seed.

use crate::chance::Chance;
use crate::client::Wanted;
use crate::faults::{Mix, mix};
use crate::model::{Manner, Mode, Recipe, Saved};
use crate::nature::Pace;
use crate::queue::{MS, S, Us};

/// What a run is like.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub jobs: Vec<Wanted>,
    pub mix: Option<Mix>,
    /// When faults may happen, ascending.
    pub faults_at: Vec<Us>,
    /// From then on nothing goes wrong.
    pub heal_at: Us,
    /// How long a chunk's sum takes at most.
    pub compute: Us,
    pub pace: Pace,
    /// A worker of each job that takes so many times as long as the others.
    pub slow: Option<(u32, Us)>,
}

/// The purpose of chance for what was not there from the beginning: with this number the seeds of `seeds.txt` stay what they
/// were when they failed.
const LATER: u64 = 9;
/// Of what came after that.
const LATEST: u64 = 10;
/// Of whether it is known which hosts hold the data.
const NEAR: u64 = 11;

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut chance = Chance::new(seed, 1);
        let jobs = if chance.percent(80) { 1 } else { 2 };
        let phase = chance.between(5, 45) * S;
        let job = |chance: &mut Chance, number: u64| {
            let lanes = 1 << chance.below(4);
            let counting = chance.percent(35);
            let recipe =
                Recipe { mode: Mode::Bsp, own: None, counting, clipped: !counting && chance.percent(50), fine: chance.percent(30), lanes };
            let cancel_at = chance.percent(5).then(|| chance.below(phase));
            let after = number * chance.below(5 * S);
            Wanted { after, recipe, manner: manner(chance, lanes), scales: scales(chance, lanes, phase), cancel_at, resumes: false }
        };
        let mut jobs: Vec<Wanted> = (0..jobs).map(|number| job(&mut chance, number)).collect();
        let faults = chance.between(1, 30);
        let mut faults_at: Vec<Us> = (0..faults).map(|_| chance.between(S / 2, phase)).collect();
        faults_at.sort_unstable();
        let slow = chance.percent(30);
        let pace = Pace { delay_min: 50, delay_max: if slow { 30 * MS } else { MS }, late_percent: 0, late_max: 0 };
        // So that a job takes about as long as things go wrong.
        let mut compute = chance.between(phase / 400, phase / 80);
        let mix = mix(&mut chance);
        // What came later is drawn apart, so that a seed is what it was but for that.
        let mut later = Chance::new(seed, LATER);
        if later.percent(20) {
            jobs.iter_mut().for_each(|wanted| go_alone(wanted, &mut later));
            compute /= 8;
            let mut latest = Chance::new(seed, LATEST);
            for wanted in &mut jobs {
                if latest.percent(40) {
                    mix_modes(wanted, &mut latest);
                }
            }
        }
        let slow = (jobs.iter().all(|wanted| wanted.recipe.mode == Mode::Bsp) && later.percent(12)).then(|| {
            jobs.iter_mut().for_each(|wanted| with_a_straggler(wanted, &mut later));
            compute /= 4;
            (u32::try_from(later.below(2)).expect("few"), later.between(4, 12))
        });
        if jobs.len() == 1 && later.percent(15) {
            let next = going_on(&mut jobs[0], phase, &mut later);
            jobs.push(next);
        }
        let mut near = Chance::new(seed, NEAR);
        jobs.iter_mut().for_each(|wanted| wanted.manner.held = near.percent(30));
        Self { seed, jobs, mix: Some(mix), faults_at, heal_at: phase, compute, pace, slow }
    }

    /// One worker, one server, and nothing goes wrong.
    pub fn quiet(recipe: Recipe) -> Self {
        let pace = Pace { delay_min: 50, delay_max: MS, late_percent: 0, late_max: 0 };
        let manner =
            Manner { workers: 1, servers: 1, lease_s: 2, grace_s: 60, checkpoints: Saved::ByDefault, relieves: false, held: false };
        Self {
            seed: 0,
            jobs: vec![Wanted { after: 0, recipe, manner, scales: Vec::new(), cancel_at: None, resumes: false }],
            mix: None,
            faults_at: Vec::new(),
            heal_at: S,
            compute: MS,
            pace,
            slow: None,
        }
    }
}

// The job's workers do not go together.
fn go_alone(wanted: &mut Wanted, chance: &mut Chance) {
    let mode = match chance.below(3) {
        0 => Mode::Ssp { staleness: few(chance, 3) },
        1 => Mode::Async,
        _ => Mode::Local { every: few(chance, 4) },
    };
    let recipe = Recipe { mode, counting: chance.percent(70), clipped: false, fine: chance.percent(25), ..wanted.recipe };
    // Lanes do not bound them.
    let workers = few(chance, 4);
    *wanted = Wanted { recipe, manner: Manner { workers, ..wanted.manner }, ..wanted.clone() };
}

// A part of the parameters has a mode of its own.
fn mix_modes(wanted: &mut Wanted, chance: &mut Chance) {
    let (local, ssp) = (Mode::Local { every: few(chance, 4) }, Mode::Ssp { staleness: few(chance, 3) });
    let own = match wanted.recipe.mode {
        Mode::Bsp | Mode::Async => chance.pick(&[ssp, local, local]),
        Mode::Ssp { .. } => chance.pick(&[Mode::Async, local, local]),
        Mode::Local { .. } => chance.pick(&[Mode::Async, ssp]),
    };
    wanted.recipe.own = own;
}

// Long enough for a worker to be late again and again, and others to take its lanes.
fn with_a_straggler(wanted: &mut Wanted, chance: &mut Chance) {
    let recipe = Recipe { fine: true, lanes: wanted.recipe.lanes.max(4), ..wanted.recipe };
    let workers = few(chance, 3) + 1;
    *wanted = Wanted { recipe, manner: Manner { workers, relieves: true, ..wanted.manner }, ..wanted.clone() };
}

// The job is given up, and another one goes on from what it has left, in another manner; or it is let to its end.
fn going_on(first: &mut Wanted, phase: Us, chance: &mut Chance) -> Wanted {
    first.manner.checkpoints = Saved::Steps { every: chance.between(1, 3), keep: few(chance, 3) };
    first.cancel_at = chance.percent(80).then(|| chance.between(phase / 4, phase));
    let bsp = first.recipe.mode == Mode::Bsp;
    let workers_max = if bsp { u64::from(first.recipe.lanes.min(4)) } else { 4 };
    let (workers, servers) = (few(chance, workers_max), few(chance, 3));
    let manner = Manner { workers, servers, ..first.manner };
    Wanted { after: 0, manner, scales: Vec::new(), cancel_at: None, resumes: true, ..first.clone() }
}

fn few(chance: &mut Chance, most: u64) -> u32 {
    u32::try_from(chance.between(1, most)).expect("few")
}

fn manner(chance: &mut Chance, lanes: u32) -> Manner {
    let (workers, servers) = (few(chance, u64::from(lanes.min(4))), few(chance, 3));
    let lease_s = chance.pick(&[1, 2, 4, 10]).expect("there are some");
    let grace_s = lease_s * chance.pick(&[2, 5, 30]).expect("there are some");
    let keep = few(chance, 3);
    let checkpoints = match chance.below(10) {
        0 | 1 => Saved::ByDefault,
        2..7 => Saved::Steps { every: chance.between(1, 4), keep },
        _ => Saved::Seconds { every: chance.between(1, 6), keep },
    };
    Manner { workers, servers, lease_s, grace_s, checkpoints, relieves: false, held: false }
}

// Another number of workers, now and then.
fn scales(chance: &mut Chance, lanes: u32, phase: Us) -> Vec<(Us, u32)> {
    let times = if chance.percent(40) { chance.between(1, 4) } else { 0 };
    let mut scales: Vec<_> = (0..times).map(|_| (chance.below(phase), few(chance, u64::from(lanes.min(4))))).collect();
    scales.sort_unstable();
    scales
}
