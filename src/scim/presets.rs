//! The presets of services that people have, from what their vendors publish. Each has a page in `docs/servers/`.

use super::profile::{ContentType, PatchPaths, Profile};

/// Datadog's sites: the domain of `datadog.site`. Each serves SCIM at `api.<site>`, and formerly at `app.<site>`.
pub const DATADOG_SITES: [&str; 9] = [
    "datadoghq.com",
    "us3.datadoghq.com",
    "us5.datadoghq.com",
    "ap1.datadoghq.com",
    "ap2.datadoghq.com",
    "uk1.datadoghq.com",
    "datadoghq.eu",
    "ddog-gov.com",
    "us2.ddog-gov.com",
];

/// The base URL of a Datadog site.
pub fn datadog_url(site: &str) -> String {
    format!("https://api.{site}/api/v2/scim")
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

impl Profile {
    /// Datadog: few attributes, no `remove` for accounts, no externalId, and an invitation for every account created.
    pub fn datadog() -> Self {
        Self {
            // Its documents show one address of type work; the whole list says the same without a filter in a path.
            patch_paths: PatchPaths::Whole,
            patch_remove: false,
            filters: vec!["userName".into()],
            content_type: ContentType::Json,
            external_id: false,
            me: false,
            attributes: Some(names(&["userName", "name.formatted", "title", "emails[type eq \"work\"]", "roles"])),
            derives_formatted: true,
            unsure_of_duplicates: true,
            shared_url: true,
            sites: &DATADOG_SITES,
            owner_ends_key: true,
            creates: Some((500, 60 * 60)),
            ..Self::generic()
        }
    }
}
