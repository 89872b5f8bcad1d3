//! `scim-operator probe`: asks a health endpoint. The image has no shell or curl that could.

use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep};

const CALL: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_secs(1);

/// The options of `scim-operator probe`.
#[derive(Args, Clone, Debug)]
pub struct ProbeOptions {
    /// What to ask; any 2xx is good.
    pub url: reqwest::Url,
    /// Seconds to ask again for, until the answer is good.
    #[arg(long, default_value_t = 0)]
    pub patience: u64,
}

/// Returns when the answer is good.
pub async fn probe(options: ProbeOptions) -> Result<(), String> {
    let client = reqwest::Client::builder().no_proxy().timeout(CALL).build().map_err(|error| error.to_string())?;
    let until = Instant::now() + Duration::from_secs(options.patience);
    loop {
        let failed = match client.get(options.url.clone()).send().await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => format!("{}: {}", options.url, answer.status()),
            Err(error) => format!("{}: {error}", options.url),
        };
        if Instant::now() >= until {
            return Err(failed);
        }
        sleep(PAUSE).await;
    }
}
