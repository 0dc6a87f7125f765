use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<String, String> {
    Location::parse(text, Some(&Location::Local("/base".into()))).map(|place| place.to_string()).map_err(|error| error.to_string())
}

#[test]
fn places_are_read_and_shown() {
    for (text, shown) in [
        ("data/x.csv", "/base/data/x.csv"),
        ("/data/x.csv", "/data/x.csv"),
        ("file:///data/x", "/data/x"),
        ("file://localhost/data/x", "/data/x"),
        ("hdfs://nn:9000/data/x", "hdfs://nn:9000/data/x"),
        ("HDFS://nn:9000//data/./x/", "hdfs://nn:9000/data/x"),
        ("hdfs://cluster", "hdfs://cluster/"),
        ("hdfs:///data", "hdfs:///data"),
        ("hdfs://default/a%20b?c#d", "hdfs://default/a%20b?c#d"),
        ("viewfs://table/data", "viewfs://table/data"),
        ("a:b", "/base/a:b"),
        ("1://x", "/base/1://x"),
    ] {
        assert_eq!(parse(text).as_deref(), Ok(shown), "{text}");
    }
}

#[test]
fn what_is_no_place_is_refused_by_name() {
    for (text, says) in [
        ("s3://bucket/x", "the scheme s3 is not supported"),
        ("file://host/x", "is on this machine"),
        ("file://", "names no file"),
        ("", "names no file"),
        ("a\0b", "names no file"),
        ("hdfs://bob@nn/x", "\"bob@nn\" is no NameNode"),
        ("hdfs://nn/a/../b", "does not follow"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
    }
    let error = Location::parse("x", None).unwrap_err();
    assert_eq!(error.to_string(), "x is relative, and nothing says to what: give all of the path");
}

#[test]
fn relative_paths_go_below_a_base_in_hdfs() {
    let base = Location::parse("hdfs://nn/jobs/1", None).unwrap();
    let below = |text| Location::parse(text, Some(&base)).map(|place| place.to_string());
    assert_eq!(below("data/x").as_deref(), Ok("hdfs://nn/jobs/1/data/x"));
    assert_eq!(below("/data/x").as_deref(), Ok("/data/x"));
    assert!(matches!(below("../x"), Err(Invalid::Up { .. })));
}

#[test]
fn names_are_joined_and_taken_apart() {
    for (dir, name, whole) in [("hdfs://nn/", "a", "hdfs://nn/a"), ("hdfs://nn/a", "b/c", "hdfs://nn/a/b/c"), ("/x", "y", "/x/y")] {
        let dir = Location::parse(dir, None).unwrap();
        let joined = dir.join(name);
        assert_eq!(joined.to_string(), whole);
        assert_eq!(joined.name(), whole.rsplit('/').next());
    }
    let deep = Location::parse("hdfs://nn/a/b", None).unwrap();
    let above: Vec<String> = std::iter::successors(Some(deep), Location::parent).map(|place| place.to_string()).collect();
    assert_eq!(above, ["hdfs://nn/a/b", "hdfs://nn/a", "hdfs://nn/"]);
}

#[test]
fn the_order_is_that_of_this_machines_paths() {
    let names = ["d.csv", "d/b.csv", "c.csv", "d/a.csv", "d-1/x"];
    let sorted = |root: &str| {
        let mut places: Vec<Location> = names.iter().map(|name| Location::parse(root, None).unwrap().join(name)).collect();
        places.sort();
        places.iter().map(|place| place.to_string()[root.len()..].trim_start_matches('/').to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(sorted("/data"), ["c.csv", "d/a.csv", "d/b.csv", "d-1/x", "d.csv"]);
    assert_eq!(sorted("hdfs://nn/data"), sorted("/data"));
}

proptest! {
    #[test]
    fn nothing_panics_and_what_is_shown_is_read_again(text in "(hdfs://|viewfs://|file://|)[a-z:/.]{0,20}") {
        let base = Location::Local("/".into());
        if let Ok(place) = Location::parse(&text, Some(&base)) {
            prop_assert_eq!(Location::parse(&place.to_string(), None), Ok(place));
        }
    }
}
