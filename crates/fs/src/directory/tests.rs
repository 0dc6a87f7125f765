use super::*;
use std::path::PathBuf;

type Commit = fn(&Path, &Path) -> Result<(), Error>;

const WAYS: [Commit; 2] = [commit_directory, rename_claimed];

fn filled(dir: &Path, name: &str) -> PathBuf {
    let temp = dir.join(name);
    fs::create_dir_all(temp.join("part")).unwrap();
    fs::write(temp.join("part/file"), name).unwrap();
    temp
}

#[test]
fn a_directory_gets_its_name_once() {
    for commit in WAYS {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("final");
        commit(&filled(dir.path(), "a"), &to).unwrap();
        let second = filled(dir.path(), "b");
        assert!(matches!(commit(&second, &to), Err(Error::Exists { .. })));
        assert_eq!(fs::read(to.join("part/file")).unwrap(), b"a");
        assert!(second.exists());
    }
}

#[test]
fn an_empty_directory_is_not_replaced() {
    for commit in WAYS {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("final");
        fs::create_dir(&to).unwrap();
        assert!(matches!(commit(&filled(dir.path(), "a"), &to), Err(Error::Exists { .. })));
    }
}

#[test]
fn of_those_that_race_one_wins() {
    for commit in WAYS {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("final");
        let temps: Vec<_> = (0..8).map(|n| filled(dir.path(), &n.to_string())).collect();
        let won = std::thread::scope(|scope| {
            let all: Vec<_> = temps.iter().map(|temp| scope.spawn(|| commit(temp, &to).is_ok())).collect();
            all.into_iter().map(|t| t.join().unwrap()).filter(|won| *won).count()
        });
        assert_eq!(won, 1);
        assert!(to.join("part/file").exists());
    }
}

#[test]
fn a_claim_that_cannot_be_filled_is_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("final");
    let error = rename_claimed(&dir.path().join("missing"), &to).unwrap_err().to_string();
    assert!(error.starts_with("cannot rename to ") && error.contains("final: No such file"), "{error}");
    assert!(!to.exists());
}

#[test]
fn a_private_directory_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b");
    private_dir(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    private_dir(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
    fs::write(dir.path().join("file"), "").unwrap();
    assert!(matches!(private_dir(&dir.path().join("file")), Err(Error::Io { operation: "create", .. })));
}

#[test]
fn directories_are_made_as_far_as_they_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/c");
    create_directory(&path).unwrap();
    create_directory(&path).unwrap();
    assert!(path.is_dir());
    fs::write(path.join("file"), "").unwrap();
    assert!(create_directory(&path.join("file/d")).is_err());
}
