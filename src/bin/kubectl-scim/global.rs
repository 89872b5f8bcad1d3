//! The options of every command.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The options of every command.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The kubeconfig to use; by default that of KUBECONFIG, else ~/.kube/config
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// The namespace; by default the context's
    #[arg(short, long, global = true, value_name = "NAME")]
    pub namespace: Option<String>,
    /// All namespaces
    #[arg(short = 'A', long, global = true, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// The form of what is printed
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// No colours; nor are there any with `NO_COLOR` set, or where the output is no terminal
    #[arg(long, global = true)]
    pub no_color: bool,
}

/// The form of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Columns that fit the terminal
    Table,
    /// The same with more columns
    Wide,
    /// JSON
    Json,
    /// YAML
    Yaml,
    /// A Markdown table, for a pull request or a ticket
    Markdown,
    /// CSV with a header
    Csv,
}
