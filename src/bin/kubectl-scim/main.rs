//! `kubectl scim`: shows what scim-operator does and holds, and answers it. A plug-in of kubectl's by its name.
//!
//! It decides nothing by itself: what it shows is recorded by the operator, or made by the operator's own modules.

mod cli;
mod cluster;
mod commands;
mod confirm;
mod console;
mod duplicates;
mod global;
mod manifest;
mod manifests;
mod objects;
mod output;
mod schema;
mod server;
mod time;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};

use crate::cli::{Cli, Command};
use crate::cluster::Cluster;
use crate::output::Printer;

/// How a command ended that did what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing more to say.
    Done,
    /// It found something that needs a person.
    Found,
    /// Something would wait for a person.
    Waits,
}

fn main() -> ExitCode {
    // Before anything that may open a TLS connection; a second provider can't have been installed yet.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for; all else is an error. Nobody is left to tell of a closed pipe.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(1) } else { ExitCode::SUCCESS };
        }
    };
    if cli.global.no_color {
        anstream::ColorChoice::Never.write_global();
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error)),
    };
    let ended = runtime.block_on(run(cli));
    // A read of standard input may go on in a thread; nobody waits for it.
    runtime.shutdown_background();
    match ended {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Found) => ExitCode::from(2),
        Ok(Outcome::Waits) => ExitCode::from(3),
        Err(error) => failed(&error),
    }
}

/// The exit code of an error, which is told. A reader that has gone (`| head`) is none where all that was asked for is
/// written out.
fn failed(error: &anyhow::Error) -> ExitCode {
    let closed = |cause: &(dyn std::error::Error + 'static)| cause.downcast_ref().is_some_and(output::is_closed);
    if error.chain().any(closed) {
        return ExitCode::SUCCESS;
    }
    output::note(&format!("error: {}", cluster::sentence(error)));
    ExitCode::from(1)
}

async fn run(cli: Cli) -> anyhow::Result<Outcome> {
    use commands::{
        answer, change, complete, documents, explain, history, holds, import, lists, plan, report, roster, status, test,
    };
    let global = cli.global;
    let printer = Printer::new(&global);
    let cluster = async || Cluster::connect(&global).await;
    match cli.command {
        Command::Status(arguments) => status::run(&cluster().await?, printer, &arguments).await,
        Command::Get(arguments) => lists::get(&cluster().await?, printer, &arguments).await,
        Command::Failures(arguments) => lists::failures(&cluster().await?, printer, &arguments).await,
        Command::Drift(arguments) => lists::drift(&cluster().await?, printer, &arguments).await,
        Command::Unmanaged(arguments) => {
            Box::pin(lists::unmanaged::run(&global, &cluster().await?, printer, &arguments)).await
        }
        Command::Holds(arguments) => Box::pin(holds::run(&global, &cluster().await?, printer, &arguments)).await,
        Command::Approve(arguments) => Box::pin(answer::ask(&global, &cluster().await?, &arguments, true)).await,
        Command::Reject(arguments) => Box::pin(answer::ask(&global, &cluster().await?, &arguments, false)).await,
        Command::Sync(arguments) => change::sync(&cluster().await?, &arguments).await,
        Command::Suspend(arguments) => change::suspend(&cluster().await?, &arguments, true).await,
        Command::Resume(arguments) => change::suspend(&cluster().await?, &arguments, false).await,
        Command::Release(arguments) => change::release(&cluster().await?, &arguments).await,
        Command::Plan(arguments) => plan::run(&global, printer, &arguments).await,
        Command::Explain(arguments) => Box::pin(explain::run(&global, printer, &arguments)).await,
        Command::Test(arguments) => test::run(&global, printer, &arguments).await,
        Command::Import(arguments) => import::run(&global, &arguments).await,
        Command::History(arguments) => history::run(&global, printer, &arguments).await,
        Command::Report(arguments) => report::run(&cluster().await?, printer, &arguments).await,
        Command::Roster(arguments) => roster::run(&global, printer, &arguments).await,
        Command::Console(arguments) => console::run(&global, printer, &arguments).await,
        Command::Completion(arguments) => documents::completion(&arguments, Cli::command()),
        Command::Complete(arguments) => complete::run(&arguments, Cli::command()),
        Command::Man(arguments) => documents::man(&arguments, Cli::command()),
        Command::Docs => documents::markdown(Cli::command()),
    }
}
