//! An HDFS of this machine, and ways to use it side by side.

use crate::hdfs::Way;
use crate::series::Series;
use anyhow::{Context, ensure};
use clap::ValueEnum;
use std::process::{Command, Stdio};
use std::time::Instant;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

const USER: &str = "alice";
/// Nine tenths of a plain loop's speed.
pub const BAR: f64 = 1.0 / 0.9;

/// A running HDFS.
pub struct Bed(Hadoop);

/// Seconds by the clock, and of processors.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    wall_s: f64,
    cpu_s: f64,
}

/// One of the ways to do the same.
pub struct Line<'a> {
    name: String,
    // The first line's time as a share of this one's is to be at least 0.9.
    is_held: bool,
    spend: Box<dyn Fn() -> anyhow::Result<Spent> + 'a>,
}

impl Bed {
    /// Starts one.
    ///
    /// # Errors
    /// Hadoop is not installed, which is said.
    pub fn start(form: Form) -> anyhow::Result<Self> {
        let hadoop = Hadoop::start(form).context("there is no Hadoop here: run make setup")?;
        if hadoop.form().security != Security::Simple {
            hadoop.kinit(USER);
        }
        Ok(Self(hadoop))
    }

    /// Uses it in a process of its own.
    pub fn spend(&self, way: Way, count: u32) -> anyhow::Result<Spent> {
        let way = way.to_possible_value().context("a way has a name")?;
        let root = format!("{}/user/{USER}", self.0.url());
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("hdfs").arg(way.get_name()).arg(root).arg(count.to_string()).envs(self.0.environment(USER));
        let output = command.stderr(Stdio::inherit()).output()?;
        // What it printed counts: as it ends, Kerberos' library goes while threads of the client may still use it, and aborts.
        let text = String::from_utf8(output.stdout)?;
        let (wall, cpu) = text.trim().split_once(' ').with_context(|| format!("{}: {}", way.get_name(), output.status))?;
        Ok(Spent { wall_s: wall.parse()?, cpu_s: cpu.parse()? })
    }

    /// Hadoop's own `hdfs dfs` with these arguments.
    pub fn shell(&self, arguments: &[&str]) -> anyhow::Result<Spent> {
        let (began, used) = (Instant::now(), children_s()?);
        // It warns of native libraries that it does without, at length.
        let output = self.0.shell(USER, arguments).stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
        ensure!(output.status.success(), "hdfs dfs {arguments:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        Ok(Spent { wall_s: began.elapsed().as_secs_f64(), cpu_s: children_s()? - used })
    }
}

impl Spent {
    /// Without what `other` took.
    pub fn without(self, other: Self) -> Self {
        Self { wall_s: self.wall_s - other.wall_s, cpu_s: self.cpu_s - other.cpu_s }
    }
}

impl<'a> Line<'a> {
    /// A way to do it.
    pub fn new(name: impl Into<String>, spend: impl Fn() -> anyhow::Result<Spent> + 'a) -> Self {
        Self { name: name.into(), is_held: false, spend: Box::new(spend) }
    }

    /// That is to be at most [`BAR`] times as slow as the first one.
    pub fn held(self) -> Self {
        Self { is_held: true, ..self }
    }
}

/// Takes each way once a round: how long, with how much processor time for a GB, and the time in those of the first way.
pub fn side_by_side(rounds: u32, gb: f64, lines: &[Line<'_>]) -> anyhow::Result<Vec<Series>> {
    let named = |text: &str, unit| lines.iter().map(|line| Series::new(format!("{}{text}", line.name), unit)).collect::<Vec<_>>();
    let (mut wall, mut cpu, mut ratio) = (named("", "s"), named(": processor time", "s/GB"), named(", in times of the first", ""));
    for _ in 0..rounds {
        let mut first = None;
        for (at, line) in lines.iter().enumerate() {
            let Spent { wall_s, cpu_s } = (line.spend)()?;
            wall[at].push(wall_s);
            cpu[at].push(cpu_s / gb);
            ratio[at].push(wall_s / *first.get_or_insert(wall_s));
        }
    }
    let ratio = ratio.into_iter().zip(lines).skip(1).map(|(series, line)| if line.is_held { series.at_most(BAR) } else { series });
    Ok(wall.into_iter().chain(cpu).chain(ratio).collect())
}

// Of the processes that were waited for. proc(5): the 16th and 17th field, in ticks.
fn children_s() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(") ").context("/proc/self/stat")?.1.split(' ').skip(13).take(2);
    let ticks: u64 = fields.map(str::parse::<u64>).sum::<Result<_, _>>()?;
    #[expect(clippy::cast_precision_loss, reason = "ticks of a few processes")]
    let seconds = ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
    Ok(seconds)
}
