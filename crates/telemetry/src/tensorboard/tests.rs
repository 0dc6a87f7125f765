use super::*;

fn at(seconds: f64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs_f64(seconds)
}

/// The events of a file, framing taken off; sums are checked by `record` and by TensorBoard itself.
fn events(path: &Path) -> Vec<Event> {
    let bytes = fs::read(path).unwrap();
    let (mut rest, mut events) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        let length = usize::try_from(u64::from_le_bytes(rest[..8].try_into().unwrap())).unwrap();
        events.push(Event::decode(&rest[12..12 + length]).unwrap());
        rest = &rest[12 + length + 4..];
    }
    events
}

#[test]
fn a_file_starts_with_its_version_and_keeps_points_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(&dir.path().join("tb"), ".worker-0", at(1_700_000_000.5)).unwrap();
    writer.scalar("train/loss", 1, at(1_700_000_001.0), 0.0).unwrap();
    writer.scalar("train/loss", 2, at(1_700_000_002.25), f32::NAN).unwrap();
    writer.flush().unwrap();

    let events = events(writer.path());
    assert_eq!(events.len(), 3);
    assert_eq!(events[0].what, Some(What::FileVersion("brain.Event:2".to_owned())));
    assert_eq!((events[0].wall_time, events[0].step), (1_700_000_000.5, 0));
    let Some(What::Summary(zero)) = &events[1].what else { panic!("{:?}", events[1]) };
    assert_eq!(zero.value, [Value { tag: "train/loss".to_owned(), simple_value: Some(0.0) }]);
    let Some(What::Summary(nan)) = &events[2].what else { panic!("{:?}", events[2]) };
    assert!(nan.value[0].simple_value.unwrap().is_nan());
    assert_eq!((events[2].wall_time, events[2].step), (1_700_000_002.25, 2));
}

#[test]
fn a_name_that_is_taken_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..3)
        .map(|_| EventWriter::create(dir.path(), ".ps-1", at(7.0)).unwrap())
        .map(|writer| writer.path().file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert!(names[0].starts_with("events.out.tfevents.0000000007.") && names[0].ends_with(".ps-1"), "{names:?}");
    assert_eq!(names[1..], [format!("{}.2", names[0]), format!("{}.3", names[0])]);
}

#[test]
fn an_error_names_the_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("taken");
    fs::write(&file, "").unwrap();
    let error = EventWriter::create(&file, "", at(0.0)).unwrap_err();
    assert_eq!(error.path, file);
    assert!(error.to_string().ends_with("taken"), "{error}");
}
