//! What the pages show is run: job files are validated, commands are executed.

use std::path::Path;
use tfcoord_testkit::Lab;

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

// The contents of fenced blocks of a kind.
fn blocks<'a>(page: &'a str, kind: &str) -> Vec<&'a str> {
    let fence = format!("```{kind}\n");
    let rest = page.split(fence.as_str()).skip(1);
    rest.map(|block| block.split("```").next().unwrap_or_default()).collect()
}

#[test]
fn job_files_of_the_pages_are_valid() {
    let lab = Lab::new();
    let mut seen = 0;
    for name in ["README.md", "docs/job-file.md"] {
        for text in blocks(&page(name), "json") {
            let path = lab.path().join("shown.json");
            std::fs::write(&path, text).unwrap();
            let output = lab.run(&["validate", path.to_str().unwrap()]);
            assert!(output.status.success(), "{name}: {text}\n{}", String::from_utf8_lossy(&output.stderr));
            seen += 1;
        }
    }
    assert!(seen >= 5, "only {seen} job files found");
}

#[test]
fn the_job_file_that_is_shown_is_the_one_that_is_shipped() {
    let readme = page("README.md");
    assert_eq!(blocks(&readme, "json"), [page("examples/fashion-mnist/job.json")]);
}

// As after `make demo`, in a directory that is laid out like the sources.
#[test]
fn the_program_is_called_by_its_name_after_the_line_that_says_so() {
    let lab = Lab::new();
    std::fs::create_dir(lab.path().join("target")).unwrap();
    std::os::unix::fs::symlink(lab.path().join("bin"), lab.path().join("target/release")).unwrap();
    let readme = page("README.md");
    let [line] = blocks(&readme, "sh")[..] else { panic!("one line was expected") };
    let script = format!("{line}\ncd /\ntfcoord list && tfcoord predict --help");
    let mut shell = std::process::Command::new("sh");
    let shell = shell.args(["-ec", &script]).current_dir(lab.path()).env("PATH", "/usr/bin:/bin");
    let output = shell.env("TFCOORD_STATE_DIR", lab.state_dir()).env_remove("TFCOORD_BIN_DIR").output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert!(out.starts_with("no jobs are active") && out.contains("Usage: tfcoord predict"), "{out}{err}");
}

// What the page says of one job is one job's.
#[test]
fn the_figures_of_a_job_are_the_same_wherever_they_are_shown() {
    let commands = page("docs/commands.md");
    let after =
        |what: &str| commands.split(what).nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap_or_else(|| panic!("{what}"));
    let accuracy = after("\n  test accuracy  ");
    for what in ["epoch 20/20 evaluated on 2,000 records: test accuracy ", "\naccuracy  "] {
        assert_eq!(after(what).trim_end_matches(','), accuracy, "{what}");
    }
    let listed = commands.lines().find(|line| line.starts_with("fashion-mnist-2 ") && line.contains("  test accuracy "));
    assert!(listed.is_some_and(|line| line.ends_with(&format!("test accuracy {accuracy}"))), "{listed:?}");
    assert!(after("\nloss      ").starts_with(&after("\n  test loss      ")[..5]));
}

#[test]
fn commands_of_the_pages_run() {
    let lab = Lab::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/fashion-mnist");
    std::fs::create_dir(lab.path().join("data")).unwrap();
    for name in ["data/t10k-images-idx3-ubyte.gz", "data/t10k-labels-idx1-ubyte.gz"] {
        std::fs::copy(example.join(name), lab.path().join(name)).unwrap();
    }
    let job = std::fs::read_to_string(example.join("job.json")).unwrap();
    std::fs::write(lab.path().join("job.json"), job.replace("\"epochs\": 20", "\"epochs\": 1")).unwrap();
    // Its server is killed now and then: as the page says, it needs checkpoints more often than that.
    let long = job.replace("\"epochs\": 20", "\"epochs\": 40").replace("\"output\"", "\"checkpoint\": {\"every_steps\": 20}, \"output\"");
    std::fs::write(lab.path().join("long.json"), long).unwrap();
    std::fs::write(lab.path().join("bad.json"), job.replace("\"batch_size\"", "\"batch_sise\"")).unwrap();
    let (readme, commands) = (page("README.md"), page("docs/commands.md"));
    let console = blocks(&commands, "console");
    let shown = console.iter().flat_map(|block| block.lines()).filter_map(|line| line.strip_prefix("$ "));
    let in_readme = blocks(&readme, "").into_iter().flat_map(str::lines).filter(|line| line.starts_with("tfcoord "));
    let mut id = None;
    let mut seen = 0;
    // What takes an HDFS is run where there is one: tests/hadoop/tests/verbs.
    for line in shown.chain(in_readme).filter(|line| !line.contains("hdfs")) {
        let mut words = words(line).into_iter();
        assert_eq!(words.next().as_deref(), Some("tfcoord"), "{line}");
        let arguments: Vec<String> = words.map(|word| with_id(&word, id.as_deref())).collect();
        let output = lab.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let wanted = if line.ends_with("bad.json") { 2 } else { 0 };
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(wanted), "{line}: {}\n{errors}", String::from_utf8_lossy(&output.stdout));
        if id.is_none() && line.starts_with("tfcoord submit") {
            id = lab.outputs("fashion-mnist").file_name().map(|name| name.to_str().unwrap().to_owned());
        }
        seen += 1;
    }
    assert!(seen >= 12, "only {seen} commands found");
}

// As a shell splits them; double quotes only.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words
}

// The page's job, and its outputs, are those of the job that was submitted first.
fn with_id(word: &str, id: Option<&str>) -> String {
    let Some((before, rest)) = word.split_once("fashion-mnist-").filter(|(before, _)| before.is_empty() || before.ends_with('/')) else {
        return word.to_owned();
    };
    let digits = rest.chars().take_while(char::is_ascii_digit).count();
    format!("{before}{}{}", id.unwrap_or("fashion-mnist-0"), &rest[digits..])
}
