//! `console`: a page to look at, on this machine alone, with the rights of whoever runs it.

mod account;
mod act;
mod addresses;
mod answers;
mod card;
mod changes;
mod comparison;
mod elsewhere;
mod entry;
mod events;
mod filter;
mod folded;
mod found;
mod gate;
mod group;
mod groups;
mod heading;
mod history;
mod holds;
mod kept;
mod keys;
mod members;
mod membership;
mod metrics;
mod overview;
mod page;
mod people;
mod person;
mod plot;
mod present;
mod respond;
mod rights;
mod rosters;
mod serve;
mod single;
mod source;
mod steps;
mod store;
mod values;
mod watch;

use std::net::Ipv4Addr;
use std::sync::{Arc, RwLock};

use anyhow::{Context as _, Result};
use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};

use crate::cluster::Cluster;
use crate::commands::explain;
use crate::global::Global;
use crate::output::Printer;
use crate::{Outcome, output};

/// `console`
#[derive(Args, Debug)]
pub struct Arguments {
    /// The port on 127.0.0.1; by default a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Where the operator is, with the Secrets of cluster connections
    #[arg(long, value_name = "NAME", default_value = "scim-operator")]
    operator_namespace: String,
    /// The address of the operator's metrics, where the API server can't reach its pods
    #[arg(long, value_name = "URL")]
    metrics: Option<url::Url>,
    /// The operator's audit stream in a file, for the history
    #[arg(long, value_name = "FILE")]
    audit: Option<std::path::PathBuf>,
    /// Permit http:// to localhost and the loopback addresses, where an account is read at its server
    #[arg(long)]
    allow_loopback_http: bool,
}

/// What all requests share.
struct State {
    cluster: Cluster,
    gate: gate::Gate,
    store: RwLock<store::Store>,
    rights: rights::Answers,
    keys: keys::Keys,
    /// What is in a hold beyond what is watched.
    elsewhere: elsewhere::Elsewhere,
    /// The rows that people were looked up in.
    rows: explain::Rows,
    counted: RwLock<metrics::History>,
    way: account::Way,
    /// How the console was started, for the commands that pages name.
    commands: answers::Commands,
    audit: Option<history::Stream>,
    changes: changes::Changes,
    /// Somebody looks at the events.
    events_wanted: Notify,
    acts: mpsc::Sender<act::Request>,
}

/// Serves it until Ctrl-C.
pub async fn run(global: &Global, printer: Printer, arguments: &Arguments) -> Result<Outcome> {
    let cluster = Cluster::connect(global).await?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port))
        .await
        .with_context(|| format!("port {} of 127.0.0.1 can't be used; without --port a free one is", arguments.port))?;
    let gate = gate::Gate::new(listener.local_addr()?.port());
    let (acts, requests) = mpsc::channel(1);
    let state = Arc::new(State {
        cluster,
        gate,
        store: RwLock::default(),
        rights: rights::Answers::default(),
        keys: keys::Keys::default(),
        elsewhere: elsewhere::Elsewhere::default(),
        rows: explain::Rows::default(),
        counted: RwLock::default(),
        way: account::Way {
            operator_namespace: arguments.operator_namespace.clone(),
            allow_loopback_http: arguments.allow_loopback_http,
        },
        commands: answers::Commands::of(global),
        audit: arguments.audit.clone().map(history::Stream::new),
        changes: changes::Changes::default(),
        events_wanted: Notify::new(),
        acts,
    });
    if printer.is_data() {
        printer.data(&state.gate.link())?;
    } else {
        output::line(&state.gate.link())?;
    }
    output::note("Open this link in a browser on this machine. It is good once; the console ends with Ctrl-C.");
    let mut tasks = watch::start(&state);
    tasks.spawn(metrics::keep(state.clone(), arguments.metrics.clone()));
    tokio::select! {
        served = axum::serve(listener, serve::router(state.clone())) => served?,
        () = act::carry_out(&state.cluster, requests) => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(Outcome::Done)
}
