//! Logs go to standard error, coloured on a terminal only. Which lines are written can be changed at run time.

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use super::options::LogFormat;

type Reload = dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync;

/// Which lines are written; cloning shares it.
#[derive(Clone)]
pub struct LogLevel {
    current: Arc<Mutex<String>>,
    reload: Arc<Reload>,
}

impl LogLevel {
    /// The level, or the directives.
    pub fn get(&self) -> String {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes another level, or says why not.
    pub fn set(&self, level: &str) -> Result<(), String> {
        let level = level.trim();
        let filter = EnvFilter::try_new(level).map_err(|error| error.to_string())?;
        (self.reload)(filter)?;
        level.clone_into(&mut self.current.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}

/// Starts logging. `level` is a level or a list of directives of `tracing-subscriber`.
pub fn init(format: LogFormat, level: &str) -> Result<LogLevel, ParseError> {
    let filter = EnvFilter::try_new(level)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let reload: Arc<Reload> = match format {
        LogFormat::Text => {
            let builder = builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).with_filter_reloading();
            let handle = builder.reload_handle();
            builder.init();
            Arc::new(move |filter| handle.reload(filter).map_err(|error| error.to_string()))
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_span_list(false).with_filter_reloading();
            let handle = builder.reload_handle();
            builder.init();
            Arc::new(move |filter| handle.reload(filter).map_err(|error| error.to_string()))
        }
    };
    Ok(LogLevel { current: Arc::new(Mutex::new(level.to_owned())), reload })
}
