//! SCIM servers that are libraries, each with a small server of ours around it: tests/parts/scimmy and scim-sdk. Each
//! makes a place of its own of every first path segment it meets.

use std::sync::LazyLock;

use super::servers::{blocking, text};
use super::{Process, Tenant, guarded, part, repository, unique};

const TOKEN: &str = "the-token-of-a-library";

/// One of them.
pub struct Library {
    origin: String,
    below: &'static str,
    _process: Process,
}

impl Library {
    /// SCIMMY, for Node.
    pub async fn scimmy() -> &'static Library {
        static SHARED: LazyLock<Library> = LazyLock::new(|| {
            let mut command = guarded("node");
            command.arg(repository().join("tests/parts/scimmy/server.mjs"));
            command.env("SCIMMY_MODULES", part("scimmy"));
            Library::start("scimmy", command, "scim")
        });
        blocking(&SHARED).await
    }

    /// Captain Goldfish's SCIM-SDK, for Java.
    pub async fn scim_sdk() -> &'static Library {
        static SHARED: LazyLock<Library> = LazyLock::new(|| {
            let (classes, jars) = (part("scim-sdk/classes"), part("scim-sdk/lib").join("*"));
            let mut command = guarded(part("scim-sdk/java/bin/java"));
            command.args(["-Xmx128m", "-cp", &format!("{}:{}", classes.display(), jars.display()), "Server"]);
            Library::start("scim-sdk", command, "scim/v2")
        });
        blocking(&SHARED).await
    }

    fn start(name: &str, mut command: std::process::Command, below: &'static str) -> Library {
        command.env("TOKEN", TOKEN);
        let (process, hello) = Process::announcing(name, command);
        Library { origin: text(&hello["origin"]), below, _process: process }
    }

    pub fn tenant(&self) -> Tenant {
        Tenant { base_url: format!("{}/{}/{}", self.origin, unique("place"), self.below), token: TOKEN.to_owned() }
    }
}
