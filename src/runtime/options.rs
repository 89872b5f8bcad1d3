//! The options of `scim-operator run`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{BoolishValueParser, NonEmptyStringValueParser};
use clap::{Args, ValueEnum, value_parser};

use super::election::Timing;

/// The options of `scim-operator run`; each may be given by its environment variable instead.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where the operator's Lease lies; by default the namespace of the kubeconfig or the pod.
    #[arg(long, env = "POD_NAMESPACE")]
    pub operator_namespace: Option<String>,
    /// The only namespaces that are looked at, separated by commas; without this option all are. An empty entry is
    /// an error, not a list of none.
    #[arg(long, env = "SCIM_OPERATOR_WATCH_NAMESPACES", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    pub watch_namespaces: Vec<String>,
    /// Permit http:// to localhost and the loopback addresses, for servers on this very host.
    #[arg(long, env = "SCIM_OPERATOR_ALLOW_LOOPBACK_HTTP", value_parser = BoolishValueParser::new())]
    pub allow_loopback_http: bool,
    /// Hosts that keys may be sent to, separated by commas; `*.example.com` allows all below it. Without
    /// this option any is allowed; an empty entry is an error, not a list that allows nothing.
    #[arg(long, env = "SCIM_OPERATOR_ALLOWED_HOSTS", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    pub allowed_hosts: Vec<String>,
    /// Address of /livez, /readyz and /metrics; port 0 takes a free one.
    #[arg(long, env = "SCIM_OPERATOR_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// The form of log lines.
    #[arg(long, env = "SCIM_OPERATOR_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Which log lines: a level, or directives such as `info,scim_operator=debug`.
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    pub log_level: String,
    /// Where to write one JSON line for each write at a SCIM server: a file, or `-` for standard output.
    #[arg(long, env = "SCIM_OPERATOR_AUDIT_LOG")]
    pub audit_log: Option<PathBuf>,
    /// Seconds after which another replica may take a Lease that was not renewed.
    #[arg(long, env = "SCIM_OPERATOR_LEASE_DURATION", default_value_t = 15, hide = true, value_parser = value_parser!(u64).range(5..=3600))]
    pub lease_duration: u64,
    /// Seconds between renewals of the Lease.
    #[arg(long, env = "SCIM_OPERATOR_LEASE_RENEWAL", default_value_t = 3, hide = true, value_parser = value_parser!(u64).range(1..))]
    pub lease_renewal: u64,
}

impl Options {
    /// How long the Lease lasts, and how often it is renewed: thrice in its duration at least.
    pub fn timing(&self) -> Timing {
        let duration = Duration::from_secs(self.lease_duration);
        Timing { duration, renewal: Duration::from_secs(self.lease_renewal).min(duration / 3) }
    }

    /// The namespace of the Lease; empty values, as a template may leave them, count as none.
    pub fn namespace<'a>(&'a self, default: &'a str) -> &'a str {
        self.operator_namespace.as_deref().filter(|namespace| !namespace.is_empty()).unwrap_or(default)
    }
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn parse(args: &[&str]) -> Result<Options, clap::Error> {
        Cli::try_parse_from([&["run"], args].concat()).map(|cli| cli.options)
    }

    #[test]
    fn i24_an_empty_entry_among_the_allowed_hosts_is_refused() {
        assert_eq!(parse(&["--allowed-hosts", "a.example,*.b.example"]).unwrap().allowed_hosts.len(), 2);
        for empty in ["", "a.example,"] {
            assert!(parse(&["--allowed-hosts", empty]).is_err(), "{empty:?}");
        }
    }

    #[test]
    fn a_lease_is_renewed_thrice_in_its_duration_at_least() {
        let timing = parse(&["--lease-duration", "9", "--lease-renewal", "60"]).unwrap().timing();
        assert_eq!((timing.duration, timing.renewal), (Duration::from_secs(9), Duration::from_secs(3)));
        assert!(parse(&["--lease-duration", "2"]).is_err());
    }

    #[test]
    fn an_empty_namespace_counts_as_none() {
        assert_eq!(parse(&["--operator-namespace", ""]).unwrap().namespace("default"), "default");
        assert_eq!(parse(&["--operator-namespace", "scim"]).unwrap().namespace("default"), "scim");
    }
}
