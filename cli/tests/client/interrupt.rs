//! Ctrl-C.

use super::fake;
use super::process::{Home, Running};
use super::terminal::Terminal;

#[test]
fn without_a_terminal_it_detaches() {
    let home = Home::new();
    let fake = home.fake();
    let client = Running::start(home.standing(&["submit", "job.json"]));
    client.out.wait_for("2 workers");
    client.interrupt();
    let ended = client.end();
    assert_eq!(ended.code, 130, "{}", ended.err);
    assert!(
        ended.out.ends_with("detached, fashion-mnist-7 goes on; find it again with: tfcoord status fashion-mnist-7\n"),
        "{}",
        ended.out
    );
    assert!(fake.shared.cancels.lock().unwrap().is_empty());
}

fn asked(home: &Home, fake: &fake::Fake) -> Terminal {
    let terminal = Terminal::start(home.standing(&["submit", "job.json"]));
    terminal.running.out.wait_for("63 steps x 10 epochs");
    fake.shared.change(|job| fake::run_to(job, 150));
    // The bar.
    terminal.running.out.wait_for("epoch 3/10  step 150/630");
    terminal.running.out.wait_for("loss 0.5000  accuracy 0.7500  1,000 samples/s  0:04 left  2 workers");
    terminal.running.interrupt();
    terminal.running.out.wait_for("cancel fashion-mnist-7, or detach and let it go on? [c/d] ");
    terminal
}

#[test]
fn on_a_terminal_it_asks_and_cancels() {
    let home = Home::new();
    let fake = home.fake();
    let mut terminal = asked(&home, &fake);
    terminal.press("x\n");
    terminal.press("c\n");
    let ended = terminal.running.end();
    assert_eq!(ended.code, 1, "{}", ended.out);
    assert!(ended.out.contains("error: fashion-mnist-7 cancelled: cancelled by Ctrl-C"), "{}", ended.out);
    assert_eq!(ended.out.matches("[c/d]").count(), 2);
    assert_eq!(fake.shared.cancels.lock().unwrap().len(), 1);
}

#[test]
fn on_a_terminal_it_asks_and_detaches() {
    let home = Home::new();
    let fake = home.fake();
    let mut terminal = asked(&home, &fake);
    terminal.press("d\n");
    let ended = terminal.running.end();
    assert_eq!(ended.code, 130, "{}", ended.out);
    assert!(ended.out.contains("tfcoord status fashion-mnist-7"), "{}", ended.out);
    assert!(fake.shared.cancels.lock().unwrap().is_empty());
}

#[test]
fn pressed_again_it_leaves_at_once() {
    let home = Home::new();
    let fake = home.fake();
    let terminal = asked(&home, &fake);
    terminal.running.interrupt();
    let ended = terminal.running.end();
    assert_eq!(ended.code, 130, "{}", ended.out);
    assert!(ended.out.contains("detached, fashion-mnist-7 goes on"), "{}", ended.out);
    assert!(fake.shared.cancels.lock().unwrap().is_empty());
}

#[test]
fn a_job_that_ends_while_it_asks_shows_its_result() {
    let home = Home::new();
    let fake = home.fake();
    let terminal = asked(&home, &fake);
    fake.shared.change(fake::evaluate);
    fake.shared.change(fake::succeed);
    let ended = terminal.running.end();
    assert_eq!(ended.code, 0, "{}", ended.out);
    assert!(ended.out.contains("[c/d] \r\nepoch 1/10 evaluated on"), "{}", ended.out);
    assert!(ended.out.contains("fashion-mnist-7 succeeded in 12 s"), "{}", ended.out);
}

#[test]
fn a_narrow_terminal_shows_every_figure() {
    let home = Home::new();
    let fake = home.fake();
    let mut terminal = Terminal::of_width(home.standing(&["submit", "job.json"]), 50);
    terminal.running.out.wait_for("63 steps x 10 epochs");
    fake.shared.change(|job| fake::run_to(job, 150));
    terminal.running.out.wait_for("  epoch 3/10  step 150/630");
    terminal.running.out.wait_for("0:04 left");
    terminal.running.out.wait_for("2 workers");
    terminal.running.interrupt();
    terminal.running.out.wait_for("[c/d] ");
    terminal.press("d\n");
    let ended = terminal.running.end();
    assert_eq!(ended.code, 130);
    assert!(!ended.out.contains("samples/s  0:04 left"), "a line is too long: {}", ended.out);
}
