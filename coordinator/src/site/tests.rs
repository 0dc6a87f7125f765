use super::*;
use crate::leader::fixture::job_file;
use std::fs;
use tfcoord_types::job::OneOrMany;

const SECURED: &str = "<configuration>
    <property><name>hadoop.security.authentication</name><value>kerberos</value></property>
    <property><name>dfs.namenode.kerberos.principal</name><value>hdfs/_HOST@R</value></property>
    <property><name>fs.defaultFS</name><value>hdfs://nn:8020</value></property>
</configuration>";
const OPEN: &str = "<configuration><property><name>fs.defaultFS</name><value>hdfs://nn:8020</value></property></configuration>";

struct Place {
    _dir: tempfile::TempDir,
    state: StateDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { state: StateDir::new(dir.path()).unwrap(), _dir: dir }
    }

    fn keep(&self, file: &JobFile, site: Option<v1::Site>) -> Result<Option<Submission>, String> {
        Submission::keep(&self.state, &Keeper::nobody(), "r", file, site).map_err(|error| error.to_string())
    }
}

fn on_hdfs(service: &str) -> JobFile {
    let mut file = job_file();
    let paths = ["hdfs://nn/a", "hdfs://default/b", "/c", "hdfs://other:1/d"].map(str::to_owned);
    file.data.train.files = Some(OneOrMany::Many(paths.into()));
    file.service = Some(serde_json::from_str(service).unwrap());
    file
}

fn site(core: &str) -> Option<v1::Site> {
    Some(v1::Site { core_site: core.to_owned().into(), ticket_cache: "FILE:/c".into(), user: "alice".into(), ..v1::Site::default() })
}

#[test]
fn a_job_that_is_not_on_hdfs_keeps_nothing() {
    let place = Place::new();
    assert!(place.keep(&job_file(), site(SECURED)).unwrap().is_none() && place.state.left_submissions().is_empty());
}

#[test]
fn where_nobody_proves_who_he_is_a_name_will_do() {
    let place = Place::new();
    let submission = place.keep(&on_hdfs("{}"), site(OPEN)).unwrap().unwrap();
    let hadoop = submission.hadoop().unwrap().unwrap();
    assert_eq!((hadoop.tokens, hadoop.user.as_deref()), (None, Some("alice")));
    assert_eq!(fs::read_to_string(hadoop.site.join("core-site.xml")).unwrap(), OPEN);
    let access = submission.dir().access().unwrap();
    assert_eq!(access.locations, ["hdfs://nn/a", "hdfs://other:1/d"], "one of each file system");
}

#[test]
fn a_secured_site_wants_a_proof() {
    let place = Place::new();
    let proof = |service: &str| {
        let submission = place.keep(&on_hdfs(service), site(SECURED)).unwrap().unwrap();
        let hadoop = submission.hadoop().unwrap().unwrap();
        assert!(hadoop.tokens == Some(submission.dir().tokens()) && hadoop.user.is_none());
        (submission.dir().access().unwrap().proof.unwrap(), fs::read_to_string(submission.dir().krb5_conf()).unwrap_or_default())
    };
    let (own, _) = proof("{}");
    assert_eq!((own.by, own.proxy_user), (Means::Cache(Some("FILE:/c".into())), None));
    let given = Some(v1::Site { token_file: "/t".into(), ..site(SECURED).unwrap() });
    let by = |service: &str| {
        let submission = place.keep(&on_hdfs(service), given.clone()).unwrap().unwrap();
        submission.dir().access().unwrap().proof.unwrap().by
    };
    assert_eq!(by("{}"), Means::Tokens("/t".into()));
    let for_bob = r#"{"security": {"kerberos": {"proxy_user": "bob"}}}"#;
    assert_eq!(by(for_bob), Means::Cache(Some("FILE:/c".into())), "nobody gets in for somebody else by a token");
    let kerberos =
        r#"{"keytab_secret": "/k", "primary": "tf", "realm": "R", "kdc": {"hostname": "kdc", "port": 750}, "proxy_user": "bob"}"#;
    let (named, krb5_conf) = proof(&format!(r#"{{"security": {{"kerberos": {kerberos}}}}}"#));
    assert_eq!(named.by, Means::Keytab { path: "/k".into(), principal: "tf@R".into() });
    assert_eq!(named.proxy_user.as_deref(), Some("bob"));
    assert!(krb5_conf.contains("default_realm = R") && krb5_conf.contains("kdc = kdc:750"), "{krb5_conf}");
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_nothing() {
    let place = Place::new();
    let check = |service: &str, site: Option<v1::Site>, has: &str| {
        let error = place.keep(&on_hdfs(service), site).unwrap_err();
        assert!(error.contains(has), "{error}");
    };
    check("{}", None, "service.hdfs.config_uri: hdfs://nn/a is in HDFS, and no configuration");
    check("{}", site("<html/>"), "service.hdfs.config_uri: ");
    check("{}", site("<html/>"), "\n  help: set HADOOP_CONF_DIR");
    check("{}", site(&" ".repeat(FILE_BYTES_MAX + 1)), "core-site.xml has more than");
    check(r#"{"security": {"kerberos": {"enabled": true}}}"#, site(OPEN), "service.security.kerberos.enabled: hadoop.security");
    assert!(place.state.left_submissions().is_empty());
}

#[test]
fn what_came_to_no_job_is_removed() {
    let place = Place::new();
    let job: JobId = "fashion-1".parse().unwrap();
    let (one, two) = (place.keep(&on_hdfs("{}"), site(OPEN)).unwrap(), place.keep(&on_hdfs("{}"), site(OPEN)).unwrap());
    one.unwrap().give_to(&job).unwrap();
    assert_eq!(place.state.left_submissions().len(), 1);
    two.unwrap().give_to(&job).unwrap();
    assert!(place.state.left_submissions().is_empty() && place.state.hadoop(&job).hadoop().unwrap().is_some());
}

#[test]
fn a_coordinator_that_starts_gives_a_job_what_it_has_not_got_yet() {
    use tfcoord_coordinator_core::Command;
    let place = Place::new();
    let mut cluster = Cluster::new();
    let file = Box::new(on_hdfs("{}"));
    cluster.apply(1, 1000, Command::SubmitJob { request_id: "r".into(), file, manifest: crate::leader::fixture::summary(), resume: None });
    // As after kill -9: nothing is dropped.
    for request in ["r", "other"] {
        let mut submission = Submission::keep(&place.state, &Keeper::nobody(), request, &on_hdfs("{}"), site(OPEN)).unwrap().unwrap();
        submission.given = true;
    }
    settle(&place.state, &cluster, &Keeper::nobody());
    let job = cluster.jobs().next().unwrap().id.clone();
    assert!(place.state.hadoop(&job).hadoop().unwrap().is_some() && place.state.left_submissions().is_empty());
}
