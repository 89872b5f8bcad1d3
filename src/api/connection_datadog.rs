//! Datadog's own way to say where it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A site of Datadog's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatadogSpec {
    /// The site's domain, as in the address of its web pages less `app.`.
    pub site: DatadogSite,
}

/// Datadog's sites, by their domains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DatadogSite {
    /// US1.
    #[default]
    #[serde(rename = "datadoghq.com")]
    Us1,
    /// US3.
    #[serde(rename = "us3.datadoghq.com")]
    Us3,
    /// US5.
    #[serde(rename = "us5.datadoghq.com")]
    Us5,
    /// AP1.
    #[serde(rename = "ap1.datadoghq.com")]
    Ap1,
    /// AP2.
    #[serde(rename = "ap2.datadoghq.com")]
    Ap2,
    /// UK1.
    #[serde(rename = "uk1.datadoghq.com")]
    Uk1,
    /// EU1.
    #[serde(rename = "datadoghq.eu")]
    Eu1,
    /// US1-FED.
    #[serde(rename = "ddog-gov.com")]
    Gov1,
    /// US2-FED.
    #[serde(rename = "us2.ddog-gov.com")]
    Gov2,
}

impl DatadogSite {
    /// Its domain.
    pub fn domain(self) -> &'static str {
        match self {
            Self::Us1 => "datadoghq.com",
            Self::Us3 => "us3.datadoghq.com",
            Self::Us5 => "us5.datadoghq.com",
            Self::Ap1 => "ap1.datadoghq.com",
            Self::Ap2 => "ap2.datadoghq.com",
            Self::Uk1 => "uk1.datadoghq.com",
            Self::Eu1 => "datadoghq.eu",
            Self::Gov1 => "ddog-gov.com",
            Self::Gov2 => "us2.ddog-gov.com",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::DATADOG_SITES;

    #[test]
    fn a_site_is_written_as_its_domain() {
        for domain in DATADOG_SITES {
            let site: DatadogSite = serde_json::from_value(domain.into()).expect("a site");
            assert_eq!(site.domain(), domain);
        }
    }
}
