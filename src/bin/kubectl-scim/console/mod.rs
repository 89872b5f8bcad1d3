//! `console`: a page to look at, on this machine alone, with the rights of whoever runs it.

mod act;
mod filter;
mod gate;
mod holds;
mod lists;
mod overview;
mod page;
mod people;
mod rights;
mod serve;
mod store;
mod watch;

use std::net::Ipv4Addr;
use std::sync::{Arc, RwLock};

use anyhow::{Context as _, Result};
use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch as channel};

use crate::cluster::Cluster;
use crate::output::Printer;
use crate::{Outcome, output};

/// `console`
#[derive(Args, Debug)]
pub struct Arguments {
    /// The port on 127.0.0.1; by default a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
}

/// What all requests share.
struct State {
    cluster: Cluster,
    gate: gate::Gate,
    store: RwLock<store::Store>,
    rights: rights::Answers,
    /// Counts changes of the store.
    changed: channel::Sender<u64>,
    acts: mpsc::Sender<act::Request>,
}

/// Serves it until Ctrl-C.
pub async fn run(cluster: Cluster, printer: Printer, arguments: &Arguments) -> Result<Outcome> {
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
        changed: channel::Sender::new(0),
        acts,
    });
    if printer.is_data() {
        printer.data(&state.gate.link())?;
    } else {
        output::line(&state.gate.link())?;
    }
    output::note("Open this link in a browser on this machine. It is good once; the console ends with Ctrl-C.");
    let _watches = watch::start(&state);
    tokio::select! {
        served = axum::serve(listener, serve::router(state.clone())) => served?,
        () = act::carry_out(&state.cluster, requests) => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(Outcome::Done)
}
