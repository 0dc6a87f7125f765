//! Files on this machine.

use super::conformance;
use super::place::{Place, problem};
use std::os::unix::fs::{PermissionsExt, symlink};
use tfcoord_fs::local::Local;
use tfcoord_fs::storage::{FileSystem, Location, Placement};

#[test]
fn it_conforms() {
    let dir = tempfile::tempdir().unwrap();
    conformance::all(&Local, &Location::from(dir.path()));
}

#[test]
fn a_file_that_was_cut_is_not_read_as_if_it_ended_there() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::make(&Local, dir.path().into());
    place.write("file", &[7; 100], Placement::New).unwrap();
    let file = place.open("file");
    std::fs::write(dir.path().join("file"), [7; 50]).unwrap();
    assert_eq!(problem(file.read_at(0, 100)), "Changed");
    let mut stream = file.stream(0..100).unwrap();
    assert_eq!(problem(stream.next_piece()), "Changed");
    assert_eq!(stream.next_piece().unwrap(), None, "nothing follows an error");
}

#[test]
fn links_to_nothing_are_not_listed_and_permissions_are_set() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::make(&Local, dir.path().into());
    symlink("/no/where", dir.path().join("link")).unwrap();
    place.write("file", b"", Placement::New).unwrap();
    assert_eq!(place.names(), ["file"]);
    assert_eq!(std::fs::metadata(dir.path().join("file")).unwrap().permissions().mode() & 0o777, 0o644);
    assert!(Local.delete(&place.at("link")).unwrap());
}
