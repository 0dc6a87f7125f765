use super::*;
use std::os::unix::fs::MetadataExt;

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_replaced_whole_with_its_mode() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    write_atomic(&path, b"one", 0o600).unwrap();
    write_atomic(&path, b"two", 0o666).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o666, "the umask must not matter");
    assert_eq!(names(dir.path()), ["token"]);
}

#[test]
fn what_is_not_committed_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    write_atomic(&path, b"old", 0o600).unwrap();
    let mut file = AtomicFile::create(&path, 0o600).unwrap();
    file.write_all(b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    drop(file);
    assert_eq!(names(dir.path()), ["file"]);
}

#[test]
fn a_new_name_is_never_taken_from_another_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let write = |text: &str| {
        let mut file = AtomicFile::create(&path, 0o600).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.sync().unwrap();
        file.place_new()
    };
    write("first").unwrap();
    assert!(matches!(write("second"), Err(Error::Exists { path: taken }) if taken == path));
    assert_eq!(fs::read(&path).unwrap(), b"first");
    assert_eq!(names(dir.path()), ["file"], "the temporary name is gone");
}

#[test]
fn of_writers_that_race_for_a_new_name_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let won = std::thread::scope(|scope| {
        let race = |byte: u8| {
            let mut file = AtomicFile::create(&path, 0o600).unwrap();
            file.write_all(&[byte; 4096]).unwrap();
            file.place_new().is_ok().then_some(byte)
        };
        let racers: Vec<_> = (0..8u8).map(|byte| scope.spawn(move || race(byte))).collect();
        racers.into_iter().filter_map(|racer| racer.join().unwrap()).collect::<Vec<u8>>()
    });
    assert_eq!(won.len(), 1);
    assert_eq!(fs::read(&path).unwrap(), [won[0]; 4096]);
    assert_eq!(names(dir.path()), ["file"]);
}

#[test]
fn what_a_killed_process_left_is_removed_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    let begun = AtomicFile::create(&path, 0o600).unwrap();
    let temp = begun.temp.clone();
    drop(begun);
    // As if it had been killed instead.
    fs::write(&temp, "half").unwrap();
    for other in ["a.json", ".profile", ".mine.tmp", ".mine.1.tmp", "x.1-1.tmp"] {
        fs::write(dir.path().join(other), "").unwrap();
    }
    assert_eq!(names(dir.path()).len(), 6);
    remove_temporaries(dir.path()).unwrap();
    assert_eq!(names(dir.path()), [".mine.1.tmp", ".mine.tmp", ".profile", "a.json", "x.1-1.tmp"]);
}

#[test]
fn writers_that_race_leave_one_whole_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::thread::scope(|scope| {
        for byte in 0..8u8 {
            let path = &path;
            scope.spawn(move || (0..20).for_each(|_| write_atomic(path, &[byte; 4096], 0o600).unwrap()));
        }
    });
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.len() == 4096 && bytes.iter().all(|b| *b == bytes[0]));
    assert_eq!(names(dir.path()), ["file"]);
}

#[test]
fn errors_name_operation_and_path() {
    let error = write_atomic(Path::new("/nowhere/at/all"), b"", 0o600).unwrap_err().to_string();
    assert_eq!(error, "cannot create /nowhere/at/all: No such file or directory (os error 2)");
}
