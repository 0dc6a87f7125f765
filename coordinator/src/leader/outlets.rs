//! Where states go: views to sessions, jobs to those who watch. Of several only the newest is seen.

use super::request::OpenSession;
use std::collections::BTreeMap;
use std::sync::Arc;
use tfcoord_coordinator_core::{Cluster, view};
use tfcoord_proto::v1;
use tfcoord_types::id::{Incarnation, JobId, TaskId};
use tfcoord_types::view::TaskView;
use tokio::sync::watch;

/// Where states go.
#[derive(Default)]
pub(super) struct Outlets {
    sessions: BTreeMap<Incarnation, Session>,
    sessions_opened: u64,
    watchers: BTreeMap<JobId, watch::Sender<Arc<v1::Job>>>,
}

struct Session {
    number: u64,
    job: JobId,
    task: TaskId,
    views: watch::Sender<Arc<TaskView>>,
}

impl Outlets {
    /// Opens a session in place of an earlier one; nothing where there is no view.
    pub(super) fn open(&mut self, cluster: &Cluster, incarnation: Incarnation, job: &JobId, task: TaskId) -> Option<OpenSession> {
        let view = view::view_for(cluster, job, task, incarnation)?;
        let (sender, views) = watch::channel(Arc::new(view));
        self.sessions_opened += 1;
        let number = self.sessions_opened;
        self.sessions.insert(incarnation, Session { number, job: job.clone(), task, views: sender });
        self.count();
        Some(OpenSession { number, views })
    }

    /// Closes a session, unless a later one has taken its place.
    pub(super) fn close(&mut self, incarnation: Incarnation, number: u64) {
        if self.sessions.get(&incarnation).is_some_and(|session| session.number == number) {
            self.sessions.remove(&incarnation);
            self.count();
        }
    }

    fn count(&self) {
        metrics::gauge!("tfcoord_sessions").set(self.sessions.len() as f64);
    }

    /// Hands the newest view to all sessions of a job that has changed: a server tells a push that is ahead of its view
    /// from one that is behind by the revision alone.
    pub(super) fn show_views(&self, cluster: &Cluster, job: &JobId) {
        for (incarnation, session) in self.sessions.iter().filter(|(_, session)| session.job == *job) {
            if let Some(view) = view::view_for(cluster, job, session.task, *incarnation) {
                session.views.send_replace(Arc::new(view));
            }
        }
    }

    /// Watches a job, whose message now is `message`.
    pub(super) fn watch(&mut self, job: &JobId, message: v1::Job, over: bool) -> watch::Receiver<Arc<v1::Job>> {
        let message = Arc::new(message);
        if over {
            return watch::channel(message).1;
        }
        let sender = self.watchers.entry(job.clone()).or_insert_with(|| watch::channel(message.clone()).0);
        sender.send_replace(message);
        sender.subscribe()
    }

    /// Jobs that somebody watches; those that nobody watches any more are forgotten.
    pub(super) fn watched(&mut self) -> Vec<JobId> {
        self.watchers.retain(|_, sender| sender.receiver_count() > 0);
        self.watchers.keys().cloned().collect()
    }

    /// Hands a job's message to those who watch it; after the last one they know that no other will come.
    pub(super) fn show_job(&mut self, job: &JobId, message: v1::Job, over: bool) {
        if let Some(sender) = self.watchers.get(job) {
            sender.send_replace(Arc::new(message));
        }
        if over {
            self.watchers.remove(job);
        }
    }
}
