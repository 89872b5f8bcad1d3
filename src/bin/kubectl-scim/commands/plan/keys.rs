//! Where a key that was given by hand may go: nothing else binds it to a server.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use scim_operator::api::ScimConnection;
use scim_operator::directory::ConnectionKey;
use scim_operator::provisioner::base_url;
use url::Url;

use super::declared::Declared;

/// One key is sent to one server.
pub fn are_of_one_server<'c>(connections: impl Iterator<Item = (&'c ConnectionKey, &'c ScimConnection)>) -> Result<()> {
    let all: Vec<_> = connections.map(|(key, connection)| (key, server(connection))).collect();
    let servers: BTreeSet<&String> = all.iter().map(|(_, server)| server).collect();
    if servers.len() > 1 {
        let named: Vec<String> = all.iter().map(|(key, server)| format!("{key} at {server}")).collect();
        bail!(
            "the key would be sent to {} servers ({}), and it is the key of one: name that connection, and plan for each with its \
             own key",
            servers.len(),
            named.join(", ")
        );
    }
    Ok(())
}

/// A change that nobody has looked at sends no key to a server that was not there before it.
pub fn stay_at_their_servers(now: &Declared, before: &Declared) -> Result<()> {
    let known: BTreeSet<String> = before.connections.values().map(server).collect();
    if known.is_empty() {
        return Ok(());
    }
    for (key, connection) in &now.connections {
        let server = server(connection);
        if !known.contains(&server) {
            bail!(
                "the connection {key} is at {server}, and none in --before is: the key is not sent to a server that is new with the \
                 change. Once somebody has looked at it, plan without --before"
            );
        }
    }
    Ok(())
}

/// Scheme, host and port.
fn server(connection: &ScimConnection) -> String {
    let url = base_url(&connection.spec);
    Url::parse(&url).map_or(url, |url| url.origin().ascii_serialization())
}
