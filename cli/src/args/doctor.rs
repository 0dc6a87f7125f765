//! `doctor` and its verbs.

use super::{Page, help};
use clap::{Args, Subcommand, ValueEnum};

/// `doctor`
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub struct Doctor {
    /// What to look at.
    #[command(subcommand)]
    pub verb: DoctorVerb,
}

/// What to look at.
#[derive(Debug, Subcommand)]
pub enum DoctorVerb {
    /// HDFS: configuration, Kerberos, NameNodes, reading, writing, tokens
    #[command(after_long_help = help::DOCTOR_HDFS)]
    Hdfs(DoctorHdfs),
}

/// `doctor hdfs`
#[derive(Debug, Args)]
pub struct DoctorHdfs {
    /// A directory to read and to write to [default: the root, and the user's home]
    #[arg(value_name = "LOCATION")]
    pub location: Option<String>,
    /// How NameNodes are called for tokens, as a job file says it in service.hdfs.calls
    #[arg(long, value_enum, value_name = "WAY", default_value_t = Calls::Rpc)]
    pub calls: Calls,
    /// The form of what is printed
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t = Page::Text)]
    pub output: Page,
}

/// How NameNodes are called for tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Calls {
    /// By Hadoop's RPC
    Rpc,
    /// By WebHDFS
    #[value(name = "webhdfs")]
    WebHdfs,
}
