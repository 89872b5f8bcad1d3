//! `scim-operator`: the controller, and the CRDs that it needs.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use scim_operator::controller::{self, Context};
use scim_operator::runtime::{
    Audit, Health, Metrics, Options, ProbeOptions, cluster_client, cluster_config, hold, init_logs, on_signal, probe,
    serve, wait_for_crds,
};
use scim_operator::scim::ApiServer;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

/// Provisions people over SCIM 2.0, from Git.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the controller.
    Run(Options),
    /// Print the CustomResourceDefinitions as YAML.
    Crds,
    /// Ask a health endpoint; the exit code says whether it is good.
    Probe(ProbeOptions),
}

fn main() -> ExitCode {
    // Before anything that may open a TLS connection; a second provider can't have been installed yet.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match carry_out() {
        Ok(()) => ExitCode::SUCCESS,
        // A sentence, whatever RUST_BACKTRACE says: nobody mends a kubeconfig by a stack trace.
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Crds => {
            print!("{}", scim_operator::api::crds_yaml().context("the CRDs can't be written as YAML")?);
            Ok(())
        }
        Command::Probe(options) => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the runtime can't be started")?
            .block_on(probe(options))
            .map_err(anyhow::Error::msg),
        Command::Run(options) => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("the runtime can't be started")?
            .block_on(run(options)),
    }
}

async fn run(options: Options) -> anyhow::Result<()> {
    let level = init_logs(options.log_format, &options.log_level).context("--log-level can't be read")?;
    let audit = Audit::open(options.audit_log.as_deref()).context("--audit-log can't be written")?;
    let shutdown = on_signal().context("signals can't be listened to")?;
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("can't listen on {}; choose another address by --listen", options.listen))?;
    info!(version = env!("CARGO_PKG_VERSION"), listen = %listener.local_addr()?, "scim-operator starts");
    let (health, metrics) = (Health::default(), Metrics::default());
    // Probes and metrics answer until the very end.
    tokio::spawn(serve(listener, health.clone(), metrics.clone(), level, CancellationToken::new()));

    let config = cluster_config(None, None).await?;
    let api_server = ApiServer::at(&config.cluster_url.to_string());
    let client = cluster_client(config)?;
    let mut kinds = vec!["scimconnections", "scimgroups", "scimrosters", "scimusers"];
    if options.watch_namespaces.is_empty() {
        kinds.push("clusterscimconnections");
    }
    tokio::select! {
        () = wait_for_crds(&client, &kinds) => {}
        () = shutdown.cancelled() => return Ok(()),
    }
    // Standing by for the Lease is being ready.
    health.set_ready();

    let namespace = options.namespace(client.default_namespace()).to_owned();
    let released = CancellationToken::new();
    let (mut leadership, lease) = hold(client.clone(), &namespace, identity(), options.timing(), released.clone());
    let mut lease = tokio::spawn(lease);
    tokio::select! {
        () = leadership.acquired() => {}
        () = shutdown.cancelled() => {
            // It may have come to us in this very moment.
            released.cancel();
            return Ok(lease.await??);
        }
        ended = &mut lease => return Ok(ended??),
    }
    metrics.leader(true);
    health.set_unready("the objects are being listed");
    let context = Context { client, api_server, namespace, options, leadership, metrics, health, audit, shutdown };
    tokio::select! {
        ended = controller::run(context) => ended?,
        ended = &mut lease => ended??,
    }
    // Everything in flight has ended and is recorded: the next replica may begin.
    released.cancel();
    lease.await??;
    info!("scim-operator has ended");
    Ok(())
}

/// Who holds the Lease: a process, not a host, so that a restart is not taken for its predecessor.
fn identity() -> String {
    let host = std::env::var("HOSTNAME")
        .or_else(|_| std::fs::read_to_string("/proc/sys/kernel/hostname"))
        .unwrap_or_else(|_| "scim-operator".to_owned());
    format!("{}-{:08x}", host.trim(), rand::random::<u32>())
}
