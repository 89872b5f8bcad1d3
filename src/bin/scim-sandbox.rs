//! `scim-sandbox`: a SCIM 2.0 server in memory, for demos and tests.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use clap::builder::PossibleValuesParser;
use scim_operator::sandbox::{Options, Sandbox, dialects};
use tokio::signal::unix::{SignalKind, signal};

/// A SCIM 2.0 server in memory, for demos and tests. Never for real accounts.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen; port 0 takes any
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The bearer token that clients need
    #[arg(long, env = "SCIM_SANDBOX_TOKEN", hide_env_values = true)]
    token: String,
    /// The bearer token that /_sandbox needs; it is open without one
    #[arg(long, env = "SCIM_SANDBOX_ADMIN_TOKEN", hide_env_values = true)]
    admin_token: Option<String>,
    /// Whose ways to take on
    #[arg(long, default_value = "generic", value_parser = PossibleValuesParser::new(dialects()))]
    dialect: String,
    /// Something that it does otherwise than the RFCs say; repeat it for more
    #[arg(long = "quirk")]
    quirks: Vec<String>,
    /// What ids and injected faults follow from
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How long every request waits first: 20ms, 2s
    #[arg(long, default_value = "0ms", value_parser = duration)]
    latency: Duration,
    /// The userName that /Me stands for; the account is made at the start
    #[arg(long)]
    owner: Option<String>,
    /// A role that there is, as ID=NAME; repeat it for more. What else users are given is dropped
    #[arg(long = "role", value_parser = role)]
    roles: Vec<(String, String)>,
}

fn role(text: &str) -> Result<(String, String), String> {
    let (id, name) = text.split_once('=').ok_or("write ID=NAME")?;
    Ok((id.to_owned(), name.to_owned()))
}

fn duration(text: &str) -> Result<Duration, String> {
    let signed: jiff::SignedDuration = text.parse().map_err(|error| format!("{error}"))?;
    Duration::try_from(signed).map_err(|error| error.to_string())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // Ready for the signal before anybody can know that it runs.
    let mut terminate = signal(SignalKind::terminate())?;
    let sandbox = Sandbox::start(Options {
        listen: arguments.listen,
        token: arguments.token,
        admin_token: arguments.admin_token,
        dialect: arguments.dialect,
        quirks: arguments.quirks,
        seed: arguments.seed,
        latency: arguments.latency,
        owner: arguments.owner,
        roles: arguments.roles,
    })
    .await
    .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", sandbox.announcement())?;
    out.flush()?;
    tokio::select! {
        _ = terminate.recv() => {}
        stop = tokio::signal::ctrl_c() => stop?,
    }
    Ok(())
}
