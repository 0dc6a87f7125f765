//! A client that submits jobs and looks after them until they have succeeded. It asks again whenever it got no answer,
//! under the same request id. Of some jobs it thinks better, and cancels them, or wants them to have another number of
//! workers.

use crate::message::Message;
use crate::model::{Manner, Recipe};
use crate::nature::{CLIENT, COORDINATOR, Nature, StreamId, Timer};
use crate::queue::{MS, S, Us};
use std::collections::BTreeMap;
use tfcoord_coordinator_core::JobState;
use tfcoord_types::id::JobId;
use tfcoord_types::job::JobFile;

/// A client.
#[derive(Debug)]
pub struct Client {
    pub wishes: Vec<Wish>,
    // What each request id got.
    requested: BTreeMap<String, JobId>,
}

/// What is wanted, and when.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub after: Us,
    pub recipe: Recipe,
    pub manner: Manner,
    /// From when on it is to have how many workers, ascending.
    pub scales: Vec<(Us, u32)>,
    /// When it is not wanted any more.
    pub cancel_at: Option<Us>,
    /// Whether it goes on from what the job before it has left, once that is over.
    pub resumes: bool,
}

/// A job that the client wants.
#[derive(Debug)]
pub struct Wish {
    pub recipe: Recipe,
    file: JobFile,
    number: usize,
    scales: Vec<(Us, u32)>,
    job: Option<JobId>,
    pub over: bool,
    cancel_at: Option<Us>,
    cancelled: bool,
    resumes: bool,
    stream: Option<StreamId>,
}

impl Client {
    pub fn new() -> Self {
        Self { wishes: Vec::new(), requested: BTreeMap::new() }
    }

    /// Wants a job, from some time on.
    pub fn wish(&mut self, nature: &mut Nature, wanted: Wanted) {
        let Wanted { after, recipe, manner, scales, cancel_at, resumes } = wanted;
        let (file, number) = (recipe.file(manner), self.wishes.len());
        let (job, over, cancelled, stream) = (None, false, false, None);
        self.wishes.push(Wish { recipe, file, number, scales, job, over, cancel_at, cancelled, resumes, stream });
        nature.timer(CLIENT, 0, after, Timer::Ask { job: self.wishes.len() - 1 });
    }

    /// Whether all jobs are over; and which of them have succeeded.
    pub fn content(&self) -> Option<Vec<(Recipe, JobId)>> {
        let over = self.wishes.iter().all(|wish| wish.over);
        let job = |wish: &Wish| wish.job.clone().filter(|_| !wish.cancelled).map(|job| (wish.recipe, job));
        over.then(|| self.wishes.iter().filter_map(job).collect())
    }

    pub fn timer(&mut self, nature: &mut Nature, timer: Timer) {
        let Timer::Ask { job } = timer else { return };
        if self.wishes[job].resumes && job.checked_sub(1).is_some_and(|before| !self.wishes[before].over) {
            return nature.timer(CLIENT, 0, S, timer);
        }
        let wish = &mut self.wishes[job];
        if wish.over || wish.stream.is_some() {
            return;
        }
        let stream = nature.open(CLIENT, COORDINATOR);
        wish.stream = Some(stream);
        let message = match &wish.job {
            Some(job) if wish.cancel_at.is_some_and(|at| at <= nature.now) => Message::Cancel(job.clone()),
            Some(job) => match wish.scales.first().filter(|(at, _)| *at <= nature.now) {
                Some((_, workers)) => Message::ScaleJob(job.clone(), *workers),
                None => Message::Get(job.clone()),
            },
            None => Message::Submit { request_id: wish.request_id(), file: Box::new(wish.file.clone()), resume: wish.resumes },
        };
        nature.send(CLIENT, stream, message);
    }

    pub fn broken(&mut self, nature: &mut Nature, stream: StreamId) {
        let Some(job) = self.wishes.iter().position(|wish| wish.stream == Some(stream)) else { return };
        self.wishes[job].stream = None;
        let wait = nature.chance.between(100 * MS, S);
        nature.timer(CLIENT, 0, wait, Timer::Ask { job });
    }

    pub fn message(&mut self, nature: &mut Nature, stream: StreamId, message: Message) {
        let Some(number) = self.wishes.iter().position(|wish| wish.stream == Some(stream)) else { return };
        let wish = &mut self.wishes[number];
        wish.stream = None;
        nature.close(CLIENT, stream);
        match message {
            Message::Submitted(Ok(job)) => {
                let first = self.requested.entry(wish.request_id()).or_insert_with(|| job.clone());
                assert_eq!(*first, job, "law broken: the same request id always gets the same job");
                // At times it is as if the answer had been lost.
                wish.job = Some(job).filter(|_| nature.chance.percent(80));
            }
            Message::JobIs(Some((state, reason))) => {
                let job = wish.job.clone().expect("it asked for it");
                nature.laws.terminal.seen(&job, state, &reason);
                match state {
                    JobState::Succeeded => {
                        wish.over = true;
                        return;
                    }
                    JobState::Cancelled => {
                        assert!(wish.cancel_at.is_some_and(|at| at <= nature.now), "law broken: only a person cancels a job ({job})");
                        nature.tally.add("job cancelled");
                        (wish.over, wish.cancelled) = (true, true);
                        return;
                    }
                    JobState::Failed if wish.resumes && reason.contains("there is no other one to go on from") => {
                        // Each one that cannot be read has its excuse, or a law is broken.
                        nature.tally.add("nothing was left to go on from");
                        (wish.over, wish.cancelled) = (true, true);
                        return;
                    }
                    JobState::Failed => panic!("law broken: no job fails that could go on ({job}: {reason})"),
                    // What was wanted by now is answered with the others.
                    _ => wish.scales.retain(|(at, _)| *at > nature.now),
                }
            }
            Message::JobIs(None) => panic!("law broken: an acknowledged job is known ({:?})", wish.job),
            other => panic!("law broken: a good job is taken ({other})"),
        }
        let wait = nature.chance.between(500 * MS, 2 * S);
        nature.timer(CLIENT, 0, wait, Timer::Ask { job: number });
    }
}

impl Wish {
    fn request_id(&self) -> String {
        format!("wish {}", self.number)
    }
}
