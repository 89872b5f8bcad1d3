//! The command line, as clap reads it. `docs/cli.md`, the man pages and the completions are made of it.

use clap::{Parser, Subcommand};

use crate::commands::{
    answer, change, complete, documents, explain, history, holds, import, lists, plan, report, roster, status, test,
};
use crate::console;
use crate::global::Global;

/// What exit codes mean.
const EXIT_CODES: &str = "Exit codes:
  0  it was done
  1  it was not, or not all of it; the message on standard error says why
  2  it was done, and found something that needs a person";

/// See and steer scim-operator: what it provisions, what it holds, and why something fails.
///
/// Everything that it shows is what the operator itself has recorded, or what the operator's own code makes of it. Keys
/// are never shown and never taken from the command line.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-scim",
    bin_name = "kubectl scim",
    version,
    after_help = EXIT_CODES,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// One screen: connections, rosters, holds, and what fails, grouped by reason
    Status(status::Arguments),
    /// List users, groups, connections or rosters
    Get(lists::GetArguments),
    /// List what fails: users and groups that need a person, with the reason
    Failures(lists::FailuresArguments),
    /// List what was changed at the server, or is not kept there
    Drift(lists::DriftArguments),
    /// List accounts that no object declares
    Unmanaged(lists::unmanaged::Arguments),
    /// List the holds, or everything that is in one
    Holds(holds::Arguments),
    /// Approve a hold: everything in it is carried out
    Approve(answer::Asked),
    /// Refuse what is in a hold: deleted objects go without touching their accounts, edits stay held
    Reject(answer::Asked),
    /// Have objects provisioned now; of a connection, all of its objects
    Sync(change::SyncArguments),
    /// Stop every write for users, rosters or connections, removals too
    Suspend(change::Arguments),
    /// Go on after `suspend`
    Resume(change::Arguments),
    /// Let objects under deletion go without touching their accounts
    Release(change::ReleaseArguments),
    /// Show what the operator would do, without doing it: of a cluster, or of files without one
    #[command(after_help = plan::EXIT_CODES)]
    Plan(plan::Arguments),
    /// Tell why a user or a group stands as it does, step by step, and what happens next
    Explain(explain::Arguments),
    /// Test a connection: the way there, the key, the permission, and the server's ways
    Test(test::Arguments),
    /// Make manifests of a server's accounts and groups, which change nothing there
    ///
    /// An object is named by the account's userName, or by the group's displayName and id, so that another import names it
    /// the same, in whatever order the server lists them. Of what a page brought, names and ids alone are kept in memory.
    Import(import::Arguments),
    /// Tell who changed what, when, and by which object, from the audit stream
    History(history::Arguments),
    /// Serve a page to look at and to answer holds on, for a browser on this machine
    Console(console::Arguments),
    /// Reports for auditors
    Report(report::Arguments),
    /// Look at what a roster makes of its rows, before it is applied
    Roster(roster::Arguments),
    /// Print the script that completes commands in a shell
    #[command(hide = true)]
    Completion(documents::CompletionArguments),
    /// Tell kubectl what a word may be completed to
    #[command(hide = true)]
    Complete(complete::Arguments),
    /// Write the man pages into a directory
    #[command(hide = true)]
    Man(documents::ManArguments),
    /// Print docs/cli.md
    #[command(hide = true)]
    Docs,
}
