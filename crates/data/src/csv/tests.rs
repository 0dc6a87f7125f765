use super::*;
use crate::error::{Error, RowProblem};
use crate::fixture::{Dir, gzip};
use crate::plain::Plain;
use ::csv::{ByteRecord, QuoteStyle, Terminator, WriterBuilder};
use proptest::prelude::*;
use tfcoord_types::manifest::Derived;

fn open(dir: &Dir, bytes: &[u8]) -> Result<CsvFile, Error> {
    CsvFile::open(&dir.put("a.csv", bytes), &dir.files())
}

fn texts(row: &ByteRecord) -> Vec<String> {
    row.iter().map(|field| String::from_utf8(field.to_vec()).unwrap()).collect()
}

fn keep(rows: &mut Vec<Vec<String>>, row: &ByteRecord) -> Result<(), RowProblem> {
    rows.push(texts(row));
    Ok(())
}

fn run(file: &CsvFile, first: u64, count: u64) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    file.rows(first, count, |row| keep(&mut rows, row)).unwrap();
    rows
}

// All rows, read in three ways that must agree.
fn rows(file: &CsvFile) -> Vec<Vec<String>> {
    let (mut picked, mut backwards) = (Vec::new(), Vec::new());
    let mut bytes = Vec::new();
    let all: Vec<u64> = (0..file.records()).collect();
    let reversed: Vec<u64> = all.iter().rev().copied().collect();
    for (records, read) in [(&all, &mut picked), (&reversed, &mut backwards)] {
        file.read(records, &mut bytes, |row| keep(read, row)).unwrap();
    }
    backwards.reverse();
    let streamed = run(file, 0, file.records());
    assert_eq!(streamed, picked);
    assert_eq!(streamed, backwards);
    for record in all {
        assert_eq!(run(file, record, 1), streamed[usize::try_from(record).unwrap()..][..1]);
    }
    streamed
}

#[test]
fn dialects() {
    let dir = Dir::new();
    let check = |bytes: &str, expected: &[&[&str]]| {
        let file = open(&dir, bytes.as_bytes()).unwrap();
        assert_eq!(file.header, ["a", "b"], "{bytes:?}");
        assert_eq!(rows(&file), expected, "{bytes:?}");
        let packed = open(&dir, &gzip(bytes.as_bytes())).unwrap();
        assert_eq!(rows(&packed), expected, "{bytes:?}");
    };
    check("a,b\n1,2\n3,4\n", &[&["1", "2"], &["3", "4"]]);
    check("a,b\n1,2\n3,4", &[&["1", "2"], &["3", "4"]]);
    check("a,b\r\n1,2\r\n3,4\r\n", &[&["1", "2"], &["3", "4"]]);
    check("a,b\r1,2\r3,4", &[&["1", "2"], &["3", "4"]]);
    check("\u{feff}a , b\n1,2\n", &[&["1", "2"]]);
    check("\n\na,b\n\n1,2\n\n\r\n3,4\n\n\n", &[&["1", "2"], &["3", "4"]]);
    check("a,b\n\"x\ny\",\"p,q\"\n\"say \"\"hi\"\"\",\"\"\n,\n", &[&["x\ny", "p,q"], &["say \"hi\"", ""], &["", ""]]);
    check("a,b\n\u{feff}1,2\n\u{feff}3,4\n", &[&["\u{feff}1", "2"], &["\u{feff}3", "4"]]);
    check("a,b\n", &[]);
    check("a,b", &[]);
}

#[test]
fn damaged_files() {
    let dir = Dir::new();
    let check = |bytes: &[u8], expected: &str| assert_eq!(dir.said(open(&dir, bytes)), expected);
    check(b"", "DIR/a.csv: is empty: there is no header\n  help: write the columns' names into the first line");
    check(b"\n\r\n", "DIR/a.csv: is empty: there is no header\n  help: write the columns' names into the first line");
    let fields = "help: quote fields that hold commas or newlines, and write a comma for every missing value";
    check(b"a,b\n1,2\n3\n", &format!("DIR/a.csv:3: the row has 1 fields, expected 2 as the header has\n  {fields}"));
    check(b"a,b\r\n\"1\n2\",2\r\n\r\n3,4,5\r\n", &format!("DIR/a.csv:5: the row has 3 fields, expected 2 as the header has\n  {fields}"));
    check(
        b"a,b\n1,2\n3,\xe9\n",
        "DIR/a.csv:3: field 2 is not UTF-8\n  help: convert the file to UTF-8, such as with `iconv -f latin1 -t utf-8`",
    );
    check(b"a,\xe9\n", "DIR/a.csv:1: field 2 is not UTF-8\n  help: convert the file to UTF-8, such as with `iconv -f latin1 -t utf-8`");
    let quote = "help: close the quote; within quotes a quote is written twice";
    let open = "a quote is opened in the record that begins here, and the file ends before it is closed";
    check(b"a,b\n1,2\n3,\"4\n", &format!("DIR/a.csv:3: {open}\n  {quote}"));
    check(b"a,\"b\n1,2\n3,4\n", &format!("DIR/a.csv:1: {open}\n  {quote}"));
    let mut long = b"a,b\n1,2\n3,\"".to_vec();
    long.resize(10 << 20, b'x');
    check(&long, &format!("DIR/a.csv:3: a record of more than 4194304 bytes begins here\n  {quote}"));
    // An index of a file that is damaged is not kept.
    assert!(dir.scratch_names().is_empty());
}

#[test]
fn a_quote_in_the_midst_of_a_field_is_text() {
    let dir = Dir::new();
    assert_eq!(rows(&open(&dir, b"a,b\n5\" pipe,2\n1,5\"").unwrap()), [["5\" pipe", "2"], ["1", "5\""]]);
}

#[test]
fn an_index_is_kept_and_a_damaged_one_is_named() {
    let dir = Dir::new();
    let file = || open(&dir, b"a,b\n1,2\n3,4\n");
    let identity = || dir.identity("a.csv").unwrap();
    assert_eq!(file().unwrap().records(), 2);
    let kept = dir.path("scratch").join(identity().derived(Derived::Records));
    assert_eq!(std::fs::read(&kept).unwrap(), [4u64, 8, 12].map(u64::to_le_bytes).concat());
    // One record less: what is kept is used.
    std::fs::write(&kept, [4u64, 8].map(u64::to_le_bytes).concat()).unwrap();
    assert_eq!(CsvFile::open(&identity(), &dir.files()).unwrap().records(), 1);
    for damaged in [&b""[..], b"\0\0\0", &[8u64, 4].map(u64::to_le_bytes).concat(), &[4u64, u64::MAX].map(u64::to_le_bytes).concat()] {
        std::fs::write(&kept, damaged).unwrap();
        let said = CsvFile::open(&identity(), &dir.files()).and_then(|file| file.rows(0, 1, |_| Ok(())));
        assert!(dir.said(said).ends_with(": is damaged\n  help: remove it; it is made again"));
    }
}

#[test]
fn what_is_written_to_while_it_is_indexed_is_not_kept() {
    let dir = Dir::new();
    let identity = dir.put("a.csv", "a,b\n1,2\n");
    let plain = Plain::open(&identity, &dir.files()).unwrap();
    dir.write("a.csv", "a,b\n1,2\n3,4\n");
    let said = dir.said(index::Index::open(&identity, &plain, &dir.files()));
    assert!(said.starts_with("DIR/a.csv: has changed since"), "{said}");
    assert!(dir.scratch_names().is_empty());
}

#[test]
fn cut_or_flipped_anywhere_it_never_panics() {
    let dir = Dir::new();
    let whole = b"a,b\r\n\"1,\n\"\"\",2\n3,\"4\"\r\n5,6";
    for at in 0..whole.len() {
        let flipped: Vec<u8> = whole.iter().enumerate().map(|(n, byte)| if n == at { byte ^ 0x82 } else { *byte }).collect();
        for bytes in [&whole[..at], &flipped] {
            if let Ok(file) = open(&dir, bytes) {
                rows(&file);
            }
        }
    }
}

#[test]
fn numbers() {
    for (text, value) in [("1", 1.0), ("-2.5e3", -2500.0), ("+.5", 0.5), ("0e-999", 0.0)] {
        assert_eq!(number("c", text), Ok(value));
    }
    let said = |text: &str| number("c", text).unwrap_err().to_string();
    for text in ["", "abc", "1,5", "nan", "inf", "0x10", "1 2"] {
        assert_eq!(said(text), format!("column \"c\": {text:?} is no number"));
    }
    assert_eq!(said("1e999"), "column \"c\": \"1e999\" is out of range");
    assert_eq!(said(&"é".repeat(100)), format!("column \"c\": \"{}\"… is no number", "é".repeat(60)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn what_the_csv_crate_writes_reads_back(
        table in (1usize..5).prop_flat_map(|n| proptest::collection::vec(proptest::collection::vec("[a-z,\"\n\r\u{feff}é ]{0,6}", n), 0..12)),
        crlf in any::<bool>(), quoted in any::<bool>(),
    ) {
        let dir = Dir::new();
        let mut writer = WriterBuilder::new();
        writer.terminator(if crlf { Terminator::CRLF } else { Terminator::Any(b'\n') });
        writer.quote_style(if quoted { QuoteStyle::Always } else { QuoteStyle::Necessary });
        let mut writer = writer.from_writer(Vec::new());
        let width = table.first().map_or(1, Vec::len);
        writer.write_record((0..width).map(|n| format!("c{n}"))).unwrap();
        table.iter().for_each(|row| writer.write_record(row).unwrap());
        let file = open(&dir, &writer.into_inner().unwrap()).unwrap();
        prop_assert_eq!(rows(&file), table);
    }

    #[test]
    fn any_text_is_a_table_or_an_error(text in "[a1,\"\n\r\u{feff}]{0,40}") {
        let dir = Dir::new();
        if let Ok(file) = open(&dir, text.as_bytes()) {
            rows(&file);
        }
    }
}
