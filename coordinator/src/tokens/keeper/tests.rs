//! A script in the place of the child that speaks to NameNodes.

use super::*;
use crate::state_dir::{Access, Means, Proof};
use std::time::Instant;
use tfcoord_types::job::Calls;
use tokio::sync::mpsc::unbounded_channel;

const LONG: Duration = Duration::from_secs(20);

struct Place {
    temp: tempfile::TempDir,
    state: StateDir,
    keeper: Keeper,
    troubles: UnboundedReceiver<(JobId, String)>,
    running: tokio::task::JoinHandle<()>,
}

impl Place {
    /// `script` gets action and folder; `$NOW` is a time of now, `$1` the action, `$2` the folder.
    fn new(script: &str) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let state = StateDir::new(&temp.path().join("state")).unwrap();
        let program = temp.path().join("program");
        let text = format!("NOW=$(date +%s)000\necho $1 $2 >> {}/called\n{script}\n", temp.path().display());
        std::fs::write(&program, text).unwrap();
        let (sender, troubles) = unbounded_channel();
        let trouble = Box::new(move |job, text| sender.send((job, text)).unwrap_or_default());
        let (keeper, keeping) = Keeping::new(&state, Caller::new(vec!["/bin/sh".into(), program]), trouble);
        Self { running: tokio::spawn(keeping.run()), temp, state, keeper, troubles }
    }

    /// A folder with tokens, renewed so many seconds ago of 100 that they are good for.
    fn fill(&self, dir: &HadoopDir, age_s: u64) {
        std::fs::create_dir_all(dir.site()).unwrap();
        let proof = Proof { by: Means::Cache(None), proxy_user: None, krb5_config: None, trace: false };
        dir.keep_access(&Access { locations: vec![], proof: Some(proof), user: None, calls: Calls::Rpc }).unwrap();
        std::fs::write(dir.tokens(), "secret").unwrap();
        let at_ms = now_ms() - age_s * 1000;
        let token = TokenDates {
            service: "nn:1".into(),
            owner: "alice".into(),
            sequence: 7,
            issued_ms: at_ms,
            expires_ms: at_ms + 100_000,
            latest_ms: at_ms + 700_000,
        };
        Dates { tokens: vec![token], at_ms, ticket_ends_ms: None, is_given: false }.keep(dir).unwrap();
    }

    fn job(&self, name: &str, age_s: u64) -> JobId {
        let job: JobId = name.parse().unwrap();
        self.fill(&self.state.hadoop(&job), age_s);
        job
    }

    /// Calls so far, without folders.
    fn called(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.temp.path().join("called")).unwrap_or_default();
        text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
    }

    async fn until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + LONG;
        while !is(self) {
            assert!(Instant::now() < deadline, "waited in vain for {what}: {:?}", self.called());
            // waits for: what the script does
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.running.abort();
    }
}

const GOOD: &str = r#"echo "{\"Ok\": {\"tokens\": [], \"at_ms\": $NOW, \"ticket_ends_ms\": null}}""#;
const BAD: &str = r#"echo '{"Err": {"text": "no KDC answers", "field": null, "lost": false}}'"#;

#[tokio::test]
async fn what_a_coordinator_finds_it_goes_on_with() {
    let place = Place::new(BAD);
    let (due, early) = (place.job("due-1", 60), place.job("early-2", 10));
    place.keeper.jobs([due, early].into());
    place.until("a renewal", |place| !place.called().is_empty()).await;
    assert_eq!(place.called(), ["renew"], "of the one whose time has come");
    drop(place);
}

#[tokio::test]
async fn trouble_is_told_with_the_time_that_is_left() {
    let mut place = Place::new(BAD);
    let job = place.job("a-1", 60);
    place.keeper.jobs([job.clone()].into());
    let (of, text) = place.troubles.recv().await.unwrap();
    assert!(of == job && text.starts_with("its HDFS tokens are good until 2") && text.ends_with("renewed: no KDC answers"), "{text}");
    let over = place.job("b-2", 200);
    place.keeper.jobs([over.clone()].into());
    let text = loop {
        let (of, text) = place.troubles.recv().await.unwrap();
        if of == over {
            break text;
        }
    };
    assert_eq!(text, "its HDFS tokens have run out, and could not be replaced by new ones: no KDC answers");
}

#[tokio::test]
async fn tokens_of_jobs_that_are_over_are_cancelled_and_removed() {
    let place = Place::new(GOOD);
    let (over, going) = (place.job("over-1", 1), place.job("going-2", 1));
    place.keeper.jobs([going.clone()].into());
    place.until("the end of its tokens", |place| place.state.jobs_with_tokens() == [going.clone()]).await;
    assert!(place.called() == ["cancel"] && !place.state.hadoop(&over).dates().exists());
}

#[tokio::test]
async fn tokens_that_cannot_be_cancelled_are_kept_until_they_run_out() {
    let place = Place::new(BAD);
    let (good, gone) = (place.job("good-1", 1), place.job("gone-2", 200));
    place.keeper.jobs(BTreeSet::new());
    place.until("both tries", |place| place.called().len() == 2 && place.state.jobs_with_tokens().len() == 1).await;
    assert!(place.state.hadoop(&good).tokens().exists() && !place.state.hadoop(&gone).tokens().exists());
}

#[tokio::test]
async fn what_came_to_no_job_is_cancelled_and_its_folder_goes() {
    let place = Place::new(GOOD);
    let (with, without) = (place.state.make_submission("r").unwrap(), place.state.make_submission("s").unwrap());
    place.fill(&with, 1);
    place.keeper.left(&with);
    place.keeper.left(&without);
    place.until("the folders' end", |place| place.state.left_submissions().is_empty()).await;
    assert_eq!(place.called(), ["cancel"]);
}
