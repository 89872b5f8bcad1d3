//! What stands where a connection leaves it to its provider, and what names its server.

use kube::ResourceExt;
use sha2::{Digest, Sha256};
use url::Url;

use super::dialect::profile_of;
use crate::api::{CreatesGuardSpec, Interval, RateLimit, RateLimitFor, ScimConnection, ScimConnectionSpec, hex};
use crate::scim::{Overrides, Profile, Rate, RateOf, datadog_url};

/// The base URL in force.
pub fn base_url(spec: &ScimConnectionSpec) -> String {
    let site = spec.datadog.as_ref().map(|datadog| datadog_url(datadog.site.domain()));
    site.or_else(|| spec.base_url.clone()).unwrap_or_default()
}

/// The tenant in force: where one URL serves all customers of a provider, every connection is one of its own.
pub fn tenant(connection: &ScimConnection) -> Option<String> {
    let spec = &connection.spec;
    spec.tenant.clone().or_else(|| {
        let own = || format!("{}/{}", connection.namespace().unwrap_or_default(), connection.name_any());
        profile_of(spec).shared_url.then(own)
    })
}

/// Names the server: a hash over the base URL and the tenant (promise I6).
pub fn server_of(connection: &ScimConnection) -> String {
    let spec = &connection.spec;
    let mut hash = Sha256::new();
    let address = base_url(spec);
    hash.update(Url::parse(&address).map_or(address, |url| canonical(url, &profile_of(spec))));
    hash.update([0]);
    hash.update(tenant(connection).unwrap_or_default());
    hex(&hash.finalize()[..8])
}

/// One spelling for all addresses of a server.
fn canonical(mut url: Url, profile: &Profile) -> String {
    url.set_query(None);
    let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_owned();
    // A name with a dot at its end is the same one. A host without it is one, too, so this can't fail.
    let _ = url.set_host(Some(&host));
    let domain = host.strip_prefix("app.").or_else(|| host.strip_prefix("api.")).unwrap_or(&host);
    if profile.sites.contains(&domain) {
        // A host that is one of the sites with `api.` before it is a host's name all the same.
        let _ = url.set_host(Some(&format!("api.{domain}")));
    }
    url.as_str().trim_end_matches('/').to_owned()
}

/// The rate limits in force, as `status.effective` shows them.
pub fn rate_limits(spec: &ScimConnectionSpec) -> Vec<RateLimit> {
    let declared = spec.rate_limits.clone().unwrap_or_default();
    if declared.is_empty() {
        return profile_of(spec).rates.iter().map(rate_limit).collect();
    }
    declared
}

fn rate_limit(rate: &Rate) -> RateLimit {
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    RateLimit {
        for_: match rate.of {
            RateOf::All => RateLimitFor::All,
            RateOf::Writes => RateLimitFor::Writes,
            RateOf::Creates => RateLimitFor::Creates,
        },
        requests: number(rate.requests),
        period: seconds(rate.seconds),
        burst: Some(number(rate.burst)),
    }
}

/// The guard of creations in force, if there is one.
pub fn creates_guard(spec: &ScimConnectionSpec) -> Option<CreatesGuardSpec> {
    let usual = |(most, window): (u32, u32)| CreatesGuardSpec {
        max_count: i32::try_from(most).unwrap_or(i32::MAX),
        window: seconds(window),
    };
    spec.guards.creates.clone().or_else(|| profile_of(spec).creates.map(usual))
}

fn seconds(seconds: u32) -> Interval {
    let (unit, of) =
        [(3600, "h"), (60, "m")].into_iter().find(|(unit, _)| seconds.is_multiple_of(*unit)).unwrap_or((1, "s"));
    Interval::new(&format!("{}{of}", seconds / unit))
}

/// Which fields of the dialect the connection sets itself.
pub fn overrides(spec: &ScimConnectionSpec) -> Overrides {
    let Some(dialect) = &spec.dialect else { return Overrides::default() };
    Overrides {
        write_users: dialect.write_users.is_some(),
        filters: dialect.filters.is_some(),
        paging: dialect.paging.is_some(),
        page_size: dialect.page_size.is_some(),
        content_type: dialect.content_type.is_some(),
        patch_paths: dialect.patch_paths.is_some(),
        max_members: dialect.max_members_per_patch.is_some(),
        write_groups: dialect.write_groups.is_some(),
        members_readable: dialect.members_readable.is_some(),
    }
}

/// What a person should know of the connection although it works; the first is worth a standing word.
pub fn warnings(spec: &ScimConnectionSpec, owner_is_known: bool) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let unnamed = spec.guards.protected.iter().flatten().next().is_none();
    if profile_of(spec).owner_ends_key && !owner_is_known && unnamed {
        found.push((
            "KeyOwnerUnknown",
            "nobody knows whom the key belongs to, and it ends with its owner's account: use a service account's key and \
             name that account in guards.protected"
                .to_owned(),
        ));
    }
    let query = Url::parse(&base_url(spec)).ok().and_then(|url| url.query().map(str::to_owned));
    if let Some(query) = query {
        let query = if query.eq_ignore_ascii_case("aadOptscim062020") { "?aadOptscim062020" } else { "its query" };
        found.push((
            "QueryLeftOut",
            format!("spec.baseUrl is used without {query}, which is meant for Entra ID; take it out"),
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn connection(name: &str, fields: Value) -> ScimConnection {
        let mut spec = fields;
        spec["auth"] = json!({});
        serde_json::from_value(json!({"metadata": {"namespace": "identity", "name": name}, "spec": spec})).unwrap()
    }

    fn datadog(url: &str) -> ScimConnection {
        connection("a", json!({"provider": "Datadog", "baseUrl": url, "tenant": "acme"}))
    }

    #[test]
    fn i06_a_datadog_site_is_one_server_under_all_its_names() {
        let site =
            connection("a", json!({"provider": "Datadog", "datadog": {"site": "us3.datadoghq.com"}, "tenant": "acme"}));
        assert_eq!(base_url(&site.spec), "https://api.us3.datadoghq.com/api/v2/scim");
        for alias in
            ["https://us3.datadoghq.com/api/v2/scim", "https://app.us3.datadoghq.com/api/v2/scim/?aadOptscim062020"]
        {
            assert_eq!(server_of(&datadog(alias)), server_of(&site), "{alias}");
        }
        assert_ne!(server_of(&datadog("https://api.us5.datadoghq.com/api/v2/scim")), server_of(&site));
        assert_ne!(server_of(&datadog("https://app.us3.datadoghq.com.example.com/api/v2/scim")), server_of(&site));
    }

    #[test]
    fn i06_where_one_url_serves_all_each_connection_is_a_tenant() {
        let site = |name: &str| connection(name, json!({"provider": "Datadog", "datadog": {"site": "datadoghq.eu"}}));
        assert_eq!(tenant(&site("a")).as_deref(), Some("identity/a"));
        assert_ne!(server_of(&site("a")), server_of(&site("b")));
        let generic = |name: &str| connection(name, json!({"baseUrl": "https://scim.example.com/v2"}));
        assert_eq!(server_of(&generic("a")), server_of(&generic("b")));
    }

    #[test]
    fn i06_a_server_is_one_under_every_spelling_of_its_address() {
        let server = |url: &str| server_of(&connection("a", json!({"baseUrl": url})));
        let known = server("https://scim.example.com/v2");
        for same in
            ["https://SCIM.example.com:443/v2/", "https://scim.example.com./v2", "https://scim.example.com/a/../v2?x=1"]
        {
            assert_eq!(server(same), known, "{same}");
        }
        for other in ["https://scim.example.com:8443/v2", "https://scim.example.com/V2", "https://example.com/v2"] {
            assert_ne!(server(other), known, "{other}");
        }
    }

    #[test]
    fn creations_are_counted_where_each_sends_an_invitation() {
        let site = connection("a", json!({"provider": "Datadog", "datadog": {"site": "datadoghq.eu"}}));
        let guard = creates_guard(&site.spec).unwrap();
        assert_eq!((guard.max_count, guard.window), (500, Interval::new("1h")));
        let generic = connection("a", json!({"baseUrl": "https://scim.example.com/v2"}));
        assert_eq!(creates_guard(&generic.spec), None);
        assert_eq!(rate_limits(&generic.spec)[0].period, Interval::new("1s"));
    }

    #[test]
    fn i14_a_key_whose_owner_nobody_knows_is_warned_of() {
        let warned = |connection: &ScimConnection, known| -> Vec<&str> {
            warnings(&connection.spec, known).into_iter().map(|(reason, _)| reason).collect()
        };
        let entra = datadog("https://app.datadoghq.com/api/v2/scim?aadOptscim062020");
        assert_eq!(warned(&entra, false), ["KeyOwnerUnknown", "QueryLeftOut"]);
        assert_eq!(warned(&entra, true), ["QueryLeftOut"]);
        let fields = json!({
            "provider": "Datadog", "datadog": {"site": "datadoghq.eu"}, "guards": {"protected": ["svc@example.com"]},
        });
        assert!(warned(&connection("a", fields), false).is_empty());
    }
}
