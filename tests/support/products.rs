//! SCIM as real products have it, each with a process of its own: tests/parts/better-auth and both of Django.

use super::servers::text;
use super::{Process, Tenant, guarded, part, repository, unique};

const TOKEN: &str = "the-token-of-a-product-which-may-have-to-be-long";

/// One of them, with nobody in it.
pub struct Product {
    /// How it is reached.
    pub tenant: Tenant,
    _process: Process,
}

impl Product {
    /// Better Auth's SCIM plug-in, for Node.
    pub fn better_auth() -> Product {
        let mut command = guarded("node");
        command.arg(repository().join("tests/parts/better-auth/server.mjs"));
        command.env("BETTER_AUTH_MODULES", part("better-auth"));
        Product::start("better-auth", command)
    }

    /// django-scim2, for Python.
    pub fn django() -> Product {
        Product::python("django-scim2")
    }

    /// django-scim2-server, which is another.
    pub fn django_server() -> Product {
        Product::python("django-scim2-server")
    }

    fn python(name: &str) -> Product {
        let mut command = guarded(part(&format!("{name}/bin/python")));
        command.arg(repository().join(format!("tests/parts/{name}/server.py")));
        Product::start(name, command)
    }

    fn start(name: &str, mut command: std::process::Command) -> Product {
        command.env("TOKEN", TOKEN);
        let (process, hello) = Process::announcing(&unique(name), command);
        let tenant = Tenant { base_url: text(&hello["base"]), token: TOKEN.to_owned() };
        Product { tenant, _process: process }
    }
}
