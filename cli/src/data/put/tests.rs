use super::*;
use crate::data::Limits;
use crate::data::owner::Owner;
use std::fs;
use std::path::{Path, PathBuf};
use tfcoord_fs::local::Local;
use tfcoord_fs::storage::{self, Access, Entry, File, Status, Writer};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(folder.path("from/inner/empty")).unwrap();
        fs::write(folder.path("from/a.csv"), "1,2\n").unwrap();
        fs::write(folder.path("from/inner/b.csv"), vec![7; (3 << 20) + 5]).unwrap();
        fs::create_dir(folder.path("to")).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put_with(&self, system: &dyn FileSystem, from: &[&str], replace: bool) -> Result<Done, Error> {
        let sources = from.iter().map(|name| Source::find(&self.path(name), Limits::default())).collect::<Result<Vec<_>, _>>()?;
        let (target, stop) = (Location::from(self.path("to/set")), AtomicBool::new(false));
        put(system, &Order { sources: &sources, target: &target, replace, stop: &stop }, &Meter::default(), &mut |_| ())
    }

    fn put(&self, from: &[&str]) -> Result<Done, Error> {
        self.put_with(&Local, from, false)
    }

    fn left(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(self.path("to")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn all_of_it_appears_under_one_name() {
    let folder = Folder::new();
    assert_eq!(folder.put(&["from"]).unwrap(), Done { files: 2, directories: 2, bytes: (3 << 20) + 9 });
    assert_eq!(fs::read(folder.path("to/set/a.csv")).unwrap(), b"1,2\n");
    assert_eq!(fs::read(folder.path("to/set/inner/b.csv")).unwrap().len(), (3 << 20) + 5);
    assert!(folder.path("to/set/inner/empty").is_dir());
    assert_eq!(folder.left(), ["set"]);
}

#[test]
fn a_name_that_is_taken_stays_as_it_is() {
    let folder = Folder::new();
    fs::create_dir(folder.path("to/set")).unwrap();
    fs::write(folder.path("to/set/old"), "").unwrap();
    assert!(matches!(folder.put(&["from"]), Err(Error::Exists { .. })));
    assert!(folder.path("to/set/old").exists());
    folder.put_with(&Local, &["from/a.csv"], true).unwrap();
    assert!(!folder.path("to/set/old").exists() && folder.path("to/set/a.csv").exists());
    assert_eq!(folder.left(), ["set"]);
}

#[test]
fn what_is_not_fit_leaves_nothing() {
    let folder = Folder::new();
    fs::create_dir(folder.path("none")).unwrap();
    std::os::unix::fs::symlink(folder.path("from"), folder.path("none/up")).unwrap();
    fs::write(folder.path("bad.tgz"), "no archive").unwrap();
    for (from, why) in [
        (&["from", "from/a.csv"][..], "a.csv is there twice"),
        (&["none"], "link to a directory"),
        (&["from", "bad.tgz"], "archive is"),
        (&["from/inner/empty"], "no file in it"),
        (&["absent"], "No such file"),
    ] {
        let error = folder.put(from).unwrap_err().to_string();
        assert!(error.contains(why), "{why}: {error}");
        assert_eq!(folder.left(), [""; 0], "{why}");
    }
}

#[test]
fn a_file_is_no_data_set() {
    let folder = Folder::new();
    fs::write(folder.path("from/set"), "").unwrap();
    let error = folder.put(&["from/set"]).unwrap_err();
    assert!(matches!(&error, Error::Target { remedy, .. } if remedy.contains("set-data")), "{error}");
}

#[test]
fn what_the_dead_left_is_settled_and_what_the_living_do_is_not() {
    let folder = Folder::new();
    let me = Owner::this().unwrap().to_string();
    let dead = me.rsplit_once('-').map(|(who, start)| format!("{who}-{}", start.parse::<u64>().unwrap() + 1)).unwrap();
    let elsewhere = format!("{:08x}{}", 7, &me[8..]);
    for name in [format!("put-{dead}"), format!("put-{elsewhere}")] {
        fs::create_dir(folder.path(&format!("to/.set.{name}"))).unwrap();
    }
    fs::create_dir(folder.path(&format!("to/.set.old-{dead}"))).unwrap();
    fs::write(folder.path(&format!("to/.set.old-{dead}/before")), "").unwrap();
    // It has its name back, and so that is taken.
    assert!(matches!(folder.put(&["from"]), Err(Error::Exists { .. })));
    assert!(folder.path("to/set/before").exists());
    assert_eq!(folder.left(), [format!(".set.put-{elsewhere}"), "set".to_owned()]);

    fs::remove_dir_all(folder.path("to/set")).unwrap();
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let start = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().to_owned();
    let living = format!("to/.set.put-{}-{}-{start}", &me[..8], child.id());
    fs::create_dir(folder.path(&living)).unwrap();
    let error = folder.put(&["from"]).unwrap_err();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(error, Error::Underway { pid, .. } if pid == child.id()), "{error}");
    folder.put(&["from"]).unwrap();
    assert!(!folder.path(&living).exists());
}

/// Local files, where something goes wrong.
#[derive(Debug)]
struct Faulty {
    /// The so many-th file that is created breaks, once.
    breaks: std::sync::atomic::AtomicU32,
    /// Each file that has this in its name is read as it was not written.
    altered: &'static str,
}

struct Breaking(Option<Box<dyn Writer>>);

impl Writer for Breaking {
    fn write(&mut self, _: Bytes) -> Result<(), storage::Error> {
        self.0 = None;
        let access = Some(Box::new(Access { user: "u".into(), namenode: "n".into() }));
        Err(storage::Error { operation: "write", location: "x".into(), access, problem: Problem::Broken { detail: "x".into() } })
    }

    fn commit(self: Box<Self>, _: Placement) -> Result<(), storage::Error> {
        panic!("it broke before")
    }
}

impl FileSystem for Faulty {
    fn stat(&self, at: &Location) -> Result<Status, storage::Error> {
        Local.stat(at)
    }
    fn list(&self, at: &Location) -> Result<Vec<Entry>, storage::Error> {
        Local.list(at)
    }
    fn open(&self, at: &Location) -> Result<Box<dyn File>, storage::Error> {
        if !self.altered.is_empty() && at.name() == Some(self.altered) {
            let Location::Local(path) = at else { panic!("local") };
            let mut bytes = fs::read(path).unwrap();
            bytes[2] ^= 1;
            fs::write(path, bytes).unwrap();
        }
        Local.open(at)
    }
    fn create(&self, at: &Location, how: Create) -> Result<Box<dyn Writer>, storage::Error> {
        let writer = Local.create(at, how)?;
        let before = self.breaks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        Ok(if before == Ok(1) { Box::new(Breaking(Some(writer))) } else { writer })
    }
    fn rename(&self, from: &Location, to: &Location) -> Result<(), storage::Error> {
        Local.rename(from, to)
    }
    fn delete(&self, at: &Location) -> Result<bool, storage::Error> {
        Local.delete(at)
    }
    fn make_directory(&self, at: &Location) -> Result<(), storage::Error> {
        Local.make_directory(at)
    }
}

fn pack(folder: &Folder, to: &Path) {
    let packed = flate2::write::GzEncoder::new(fs::File::create(to).unwrap(), flate2::Compression::none());
    let mut builder = tar::Builder::new(packed);
    builder.append_dir_all("x", folder.path("from")).unwrap();
    builder.into_inner().unwrap().finish().unwrap();
}

#[test]
fn a_file_that_breaks_is_begun_anew_also_from_an_archive() {
    for from in ["from", "from.tgz"] {
        let folder = Folder::new();
        pack(&folder, &folder.path("from.tgz"));
        let faulty = Faulty { breaks: 2.into(), altered: "" };
        assert_eq!(folder.put_with(&faulty, &[from], false).unwrap().files, 2, "{from}");
        assert_eq!(faulty.breaks.into_inner(), 0);
        let below = if from == "from" { "" } else { "x/" };
        assert_eq!(fs::read(folder.path(&format!("to/set/{below}inner/b.csv"))).unwrap(), vec![7; (3 << 20) + 5]);
        assert_eq!(folder.left(), ["set"]);
    }
}

#[test]
fn what_is_read_otherwise_than_written_is_not_put() {
    let folder = Folder::new();
    let error = folder.put_with(&Faulty { breaks: 0.into(), altered: "a.csv" }, &["from"], false).unwrap_err().to_string();
    assert!(error.contains("a.csv was written as 4 bytes with CRC-32C ") && error.contains(" and is read as 4 bytes"), "{error}");
    assert_eq!(folder.left(), [""; 0]);
}

#[test]
fn who_does_not_want_it_any_more_finds_nothing() {
    let folder = Folder::new();
    let sources = [Source::find(&folder.path("from"), Limits::default()).unwrap()];
    let (target, stop) = (Location::from(folder.path("to/set")), AtomicBool::new(true));
    let order = Order { sources: &sources, target: &target, replace: false, stop: &stop };
    assert!(matches!(put(&Local, &order, &Meter::default(), &mut |_| ()), Err(Error::Interrupted)));
    assert_eq!(folder.left(), [""; 0]);
}
