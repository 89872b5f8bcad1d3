//! The table of docs/troubleshooting.md, and what holds it to what is told.

use std::fs;
use std::path::Path;

use crate::support::repository;

/// A mistake, as the table has it.
pub struct Mistake {
    /// What tests call it.
    name: &'static str,
    mistake: &'static str,
    /// What is told of it; `…` stands for what differs from case to case.
    seen: &'static str,
    /// What to do.
    instead: &'static str,
}

const fn row(name: &'static str, mistake: &'static str, seen: &'static str, instead: &'static str) -> Mistake {
    Mistake { name, mistake, seen, instead }
}

/// The parts of the page, with their rows.
const PARTS: &[(&str, &[Mistake])] = &[
    ("The key", KEY),
    ("The address", ADDRESS),
    ("Users and groups", OBJECTS),
    ("Rosters", ROSTERS),
    ("The cluster", CLUSTER),
];

const KEY: &[Mistake] = &[
    row(
        "secret-elsewhere",
        "The Secret is in another namespace, or not there at all",
        "SecretNotFound: the Secret …/key is not there; create it with the label scim-operator.dev/credentials=true. Secrets of \
         other namespaces are not read",
        "Create it in the connection's namespace; that of a ClusterScimConnection in the operator's.",
    ),
    row(
        "secret-unlabelled",
        "The Secret has no label",
        "SecretNotLabelled: the Secret …/key lacks the label scim-operator.dev/credentials, which permits its use: kubectl label \
         secret -n … key scim-operator.dev/credentials=true",
        "Run the command.",
    ),
    row(
        "label-of-another-value",
        "The label has another value, such as `yes`",
        "SecretNotLabelled: the Secret …/key has another value than true for the label scim-operator.dev/credentials, which permits \
         its use: kubectl label secret -n … key scim-operator.dev/credentials=true --overwrite",
        "Run the command.",
    ),
    row(
        "label-removed",
        "External Secrets, or another writer, takes the label off again and again",
        "SecretLabelRemoved: the label scim-operator.dev/credentials was taken off the Secret …/key, which \
         externalsecrets.external-secrets.io/key writes; the last good key stays in use for 10 minutes after each time. Have that \
         writer set the label: an ExternalSecret has it in spec.target.template.metadata.labels",
        "Put the label there. Nobody waits meanwhile.",
    ),
    row(
        "label-removed-and-restarted",
        "The same, and the operator was restarted before the label was put back",
        "SecretNotLabelled: the Secret …/key lacks the label scim-operator.dev/credentials, which permits its use; \
         externalsecrets.external-secrets.io/key writes the Secret, and has to set the label too (an ExternalSecret in \
         spec.target.template.metadata.labels): kubectl label secret -n … key scim-operator.dev/credentials=true",
        "The last good key is kept in memory alone. Nothing is sent until the label is there, and nobody loses anything.",
    ),
    row(
        "wrong-key-name",
        "`secretKeyRef.key` names a key that the Secret doesn't have",
        "SecretKeyMissing: the Secret …/key has no key token; its keys are apikey, password: correct secretKeyRef.key, or add it",
        "Choose one of those that are named.",
    ),
    row("empty-key", "The key is empty", "SecretKeyMissing: the key token of the Secret …/key is empty", "Put it in."),
    row(
        "blank-key",
        "The key is white space alone",
        "SecretKeyMissing: the key token of the Secret …/key holds nothing but white space; put the key into it",
        "Put it in.",
    ),
    row(
        "pasted-key",
        "A newline, a space or a tab follows the token, or `Bearer` stands before it",
        "Connected: the server answered as SCIM",
        "Nothing: what can't be a part of a token isn't sent.",
    ),
    row(
        "wrong-key",
        "The key is wrong, or has expired",
        "CredentialsRejected: GET /Users: the server answered 401…; the server refuses the key; put a valid one into the Secret",
        "Put a valid one into the Secret; it is used at once, and a good one before it stays in use until then.",
    ),
    row(
        "quoted-key",
        "The key stands in quotation marks in the Secret",
        "CredentialsRejected: …; the key token of the Secret key stands in quotation marks, which are sent as a part of it",
        "Take them out. The same is said of white space within a key, and of placeholders.",
    ),
];

const ADDRESS: &[Mistake] = &[
    row(
        "users-in-url",
        "`baseUrl` ends with `/Users`",
        "…leave /Users and /Groups out of the URL: write what stands before them, such as https://scim.example.com/scim/v2",
        "Write what stands before it.",
    ),
    row(
        "no-version-in-url",
        "`baseUrl` lacks `/v2`",
        "NotFound: GET /Users: the server answered 404…; most SCIM addresses end with a version, such as /scim/v2, and this one has \
         none",
        "Look the address up at the service.",
    ),
    row(
        "plain-http",
        "`http` in place of `https`",
        "…write https://; http:// only for localhost, 127.0.0.1 or [::1]",
        "Write `https`: the key would be readable on the network.",
    ),
    row(
        "https-to-http",
        "`https`, where the server has plain HTTP",
        "Unreachable: GET /Users: the server doesn't speak TLS at this port; check the host, the port and the network policy",
        "Find the port that has TLS. For a server on the same host see `--allow-loopback-http`.",
    ),
    row(
        "key-in-url",
        "The key stands in `baseUrl`",
        "…leave user, password and fragment out of the URL; the key belongs into a Secret that spec.auth refers to",
        "Put it into a Secret.",
    ),
    row(
        "misspelt-field",
        "A field is misspelt",
        "…unknown field \"spec.baseURL\"…",
        "Look it up: `kubectl explain scimconnection.spec`.",
    ),
    row(
        "unknown-host",
        "The host's name is misspelt",
        "Unresolvable: GET /Users: …dns error…; check the host, the port and the network policy",
        "Correct `baseUrl`, or the cluster's DNS.",
    ),
    row(
        "nobody-listens",
        "The port is wrong, or a firewall or network policy is in the way",
        "Unreachable: GET /Users: …; check the host, the port and the network policy",
        "Allow egress from the operator's namespace to that host.",
    ),
    row(
        "own-authority",
        "The server's certificate is of a private authority",
        "TlsFailed: GET /Users: …certificate…; check the server's certificate; spec.tls.caBundle names a CA of your own, \
         spec.tls.serverName another name",
        "Give the authority by `tls.caBundle`.",
    ),
    row(
        "password-in-proxy-url",
        "The proxy's password stands in its URL",
        "…write scheme, host and port alone, such as http://proxy.example.com:3128; the credentials belong into a Secret that \
         proxy.basic refers to",
        "Put it into a Secret.",
    ),
    row(
        "proxy-password",
        "The proxy of `spec.proxy` refuses its password",
        "Unreachable: GET /Users: …; requests go by the proxy http://127.0.0.1:… (spec.proxy)",
        "Put the right one into the Secret of `proxy.basic`; it is used at once.",
    ),
    row(
        "environment-proxy",
        "The proxy that `HTTPS_PROXY` names doesn't answer, or doesn't lead to the server",
        "Unreachable: GET /Users: …; requests go by the proxy http://127.0.0.1:1 (HTTPS_PROXY or ALL_PROXY of the environment, from \
         which NO_PROXY excepts hosts); check the host, the port and the network policy",
        "Correct it in the chart's `extraEnv`, or add the server's host to `NO_PROXY` there.",
    ),
    row(
        "proxy-host",
        "The Secret of the proxy's password is bound to other hosts",
        "HostNotAllowed: the annotation scim-operator.dev/hosts of the Secret proxy doesn't allow the host 127.0.0.1",
        "Add the proxy's host there, and not the server's.",
    ),
    row("ipv6-only", "The server has an IPv6 address alone", "Connected: the server answered as SCIM", "Nothing."),
];

const OBJECTS: &[Mistake] = &[
    row(
        "connection-missing",
        "`connectionRef` names a connection that isn't there",
        "ConnectionNotFound: the ScimConnection …/jacksen is not there; create it; or delete this object and apply it with another \
         connectionRef, which can't be changed",
        "Create the connection; the object then goes on by itself.",
    ),
    row(
        "connection-misspelt",
        "`connectionRef` is misspelt",
        "ConnectionNotFound: the ScimConnection …/jacksen is not there, this namespace has jackson; create it; or delete this object \
         and apply it with another connectionRef, which can't be changed",
        "Delete the object, which has no account yet, and apply it with the right name.",
    ),
    row(
        "connection-kind",
        "`connectionRef` has the wrong kind",
        "ConnectionNotFound: the ClusterScimConnection jackson is not there, but a ScimConnection of that name is \
         (connectionRef.kind); …",
        "The same, with the right `kind`.",
    ),
    row(
        "immutable-field",
        "`connectionRef` of an object is edited",
        "…connectionRef can't be changed: create a second object that refers to the other connection, and delete this one",
        "As it says: the account at the first server is deprovisioned by its policy.",
    ),
    row(
        "two-objects",
        "Two objects declare the same userName",
        "Conflict: …/ada is bound to this account; if both stand for the \
         same account, delete this object; if not, give it another userName. Deleting …/ada instead hands its account over to this \
         object",
        "Of one person delete the newer object; of two people give one another userName.",
    ),
    row(
        "member-missing",
        "A group's `userRef` is misspelt",
        "MemberNotFound: the ScimUser …/gracie, named in spec.members, is not there: create what is missing, or correct the name; 1 of \
         2 declared members are in the group",
        "Correct the name. The others are in the group.",
    ),
    row(
        "misspelt-attribute",
        "An attribute has the name that a portal has for it",
        "…unknown field \"spec.jobTitle\"…",
        "Names are those of RFC 7643, such as `title`: `kubectl explain scimuser.spec`.",
    ),
    row(
        "unseen-letter",
        "`userName` was copied from a page or a chat, with a zero-width or a non-breaking space",
        "…write userName anew by hand: it has a letter that nobody sees, such as a zero-width or a non-breaking space, and would \
         be another name…",
        "Write it anew. From tables such letters are taken out.",
    ),
    row("no-user-name", "`userName` is missing", "…spec.userName: Required value…", "Write it."),
    row("two-primaries", "Two e-mails are `primary`", "…write primary: true at most once in emails…", "Take one away."),
    row(
        "namespace-deleted",
        "The namespace is deleted with everybody in it",
        "Held: … is held: it exceeds the connection's removals guard and needs approval. …",
        "Everybody keeps their access until you answer: approve, and they are deprovisioned; reject, and the accounts stay. The \
         message has both commands. [holds.md](holds.md)",
    ),
];

const ROSTERS: &[Mistake] = &[
    row(
        "roster-connection-missing",
        "`connectionRef` of a roster names a connection that isn't there",
        "ConnectionNotFound: the ScimConnection …/jackson is not there; create it; or delete this object and apply it with another \
         connectionRef, which can't be changed. Nobody is changed meanwhile",
        "Create the connection; the roster then goes on by itself.",
    ),
    row(
        "roster-connection-misspelt",
        "`connectionRef` of a roster is misspelt",
        "ConnectionNotFound: the ScimConnection …/jacksen is not there, this namespace has jackson; create it; or delete this object \
         and apply it with another connectionRef, which can't be changed. Nobody is changed meanwhile",
        "Delete the roster, which has made no ScimUser yet, and apply it with the right name.",
    ),
    row(
        "unknown-target",
        "A mapping's target is `email`",
        "MappingInvalid: spec.mappings[email]: email is not an attribute that can be mapped; write emails[type eq \"work\"].value; \
         nobody is changed until it is corrected",
        "Write the target that is named.",
    ),
    row(
        "unquoted-text",
        "A text stands in an expression without quotation marks",
        "MappingInvalid: spec.scope: line 1 column 13: there is no Engineering; a column is row.Engineering, and a text stands in \
         quotation marks, \"Engineering\"; nobody is changed until it is corrected",
        "Put it into quotation marks.",
    ),
    row(
        "single-equals",
        "`=` for `==`",
        "MappingInvalid: spec.scope: line 1 column 1…; one value is compared with another by ==; nobody is changed until it is \
         corrected",
        "Write `==`.",
    ),
    row(
        "unknown-function",
        "A portal's function",
        "MappingInvalid: spec.mappings[title]: line 1 column 8: there is no function toUpper; there are …; nobody is changed until it \
         is corrected",
        "Choose one that is named; [rosters.md](rosters.md#scope-and-mappings) has the portals' beside them.",
    ),
    row(
        "unknown-column",
        "A mapping reads a column that the table doesn't have",
        "ColumnMissing: the source has no column jobTitle, which title reads; nobody is changed. Put it back, or correct title. The \
         columns are mail, name, team",
        "Choose a column that is named.",
    ),
    row(
        "nobody-in-scope",
        "The scope fits nobody",
        "NobodyInScope: spec.scope is false for every row; texts are compared letter by letter. `kubectl scim roster preview` shows \
         what becomes of each row. 0 of 1 rows are in scope, 0 ScimUsers are generated",
        "Compare with what the table has; `lower(row.team) == \"engineering\"` doesn't mind letter case.",
    ),
    row(
        "nobody-assigned",
        "`assigned` names nobody",
        "NobodyInScope: spec.assigned names no row by its userName or key. …",
        "Write userNames or keys.",
    ),
    row(
        "source-label",
        "The source's label has another value",
        "SourceNotLabelled: the configmap people has another value than true for the label that lets rosters read it: kubectl label \
         configmap -n … people scim-operator.dev/roster-source=true --overwrite",
        "Run the command.",
    ),
    row(
        "source-renamed",
        "`source.configMaps.names` names a ConfigMap to which Kustomize gave a hash",
        "SourceNotFound: there is no configmap …/people: create it with the label scim-operator.dev/roster-source=true, or correct \
         spec.source. There is people-7h2k9mf4dt: for names that Kustomize generates write spec.source…namePrefix: people instead of \
         names, or set disableNameSuffixHash; nobody is changed",
        "Write `namePrefix`; the newest is followed then.",
    ),
    row(
        "source-too-long",
        "A ConfigMap of more than 256 KiB is applied as usual",
        "…metadata.annotations: Too long: may not be more than 262144 bytes…",
        "`kubectl apply --server-side`.",
    ),
    row(
        "source-too-large",
        "A ConfigMap of more than 1 MiB",
        "…Too long: may not be more than 1048576 bytes…",
        "Split it into parts: [Large tables](rosters.md#large-tables).",
    ),
];

const CLUSTER: &[Mistake] = &[
    row(
        "right-to-status",
        "The operator's role lacks `patch` on `scimusers/status`",
        "Connected: the server answered as SCIM; the API server refuses writes of the operator, and what can't be recorded is not \
         carried out: scimusers.scim-operator.dev \"ada\" is forbidden: User \"…\" cannot patch resource \"scimusers/status\" …. Look \
         at its role, at admission webhooks and policies, and at etcd",
        "Bring the chart's role back. What was sent is recorded then, and nothing is sent twice.",
    ),
    row(
        "right-to-finalizers",
        "The role lacks `patch` on `scimusers`",
        "WriteRefused: nothing is sent: the finalizer scim-operator.dev/deprovision can't be set: … is forbidden: …",
        "The same.",
    ),
    row(
        "right-to-secrets",
        "The role lacks `get` on `secrets`",
        "SecretNotFound: the Secret key can't be read from the API server: …forbidden…",
        "The same. Connections that are in use go on with the key that they have.",
    ),
    row(
        "right-to-list",
        "The role lacks `list` on one of the operator's kinds",
        "watch of ScimUsers…forbidden…",
        "The same. It is in the operator's log, and the operator isn't ready: nothing begins before everything is listed.",
    ),
    row(
        "right-to-group-status",
        "The role lacks `patch` on `scimgroups/status`",
        "Connected: the server answered as SCIM; the API server refuses writes of the operator, and what can't be recorded is not \
         carried out: scimgroups.scim-operator.dev \"staff\" is forbidden: User \"…\" cannot patch resource \"scimgroups/status\" \
         …. Look at its role, at admission webhooks and policies, and at etcd",
        "The same. Nobody is put into a group, or taken out, until it can be recorded.",
    ),
    row(
        "right-to-roster-status",
        "The role lacks `patch` on `scimrosters/status`",
        "WritesRefused: the status can't be written, so that nobody whose row is gone is deleted: …cannot patch resource \
         \"scimrosters/status\"…",
        "The same. It is an event of the roster, and in the operator's log.",
    ),
    row(
        "right-to-events",
        "The role lacks `create` or `patch` on `events`",
        "events can't be published: …cannot create resource \"events\" in API group \"events.k8s.io\"…: ask for a Role with that \
         verb; …",
        "The same. It is in the operator's log; everything else goes on.",
    ),
    row(
        "right-to-lease",
        "The role in the operator's own namespace lacks `update` on `leases`",
        "the Lease scim-operator could not be written: …cannot update resource \"leases\"…: ask for a Role with that verb; …",
        "The same. Without its Lease the operator ends within seconds, is started again by the kubelet, and goes on where it was.",
    ),
    row(
        "right-to-sources",
        "The role lacks `get` on `configmaps`",
        "SourceUnavailable: the source can't be read: configmaps \"staff\" is forbidden: …: ask for a Role with that \
         verb; kubectl auth can-i --list shows what the ServiceAccount may do, and the chart's templates/rbac.yaml what the operator \
         needs",
        "The same. Rosters change nobody meanwhile.",
    ),
    row(
        "right-to-delete",
        "The role lacks `delete` on `scimusers`",
        "WriteFailed: … could not be deleted: the API server refused it: scimusers.scim-operator.dev \"…\" is forbidden: …",
        "The same. Users whose rows are gone are deleted then.",
    ),
    row(
        "policy-refuses",
        "An admission webhook or policy refuses finalizers",
        "WriteRefused: nothing is sent: the finalizer scim-operator.dev/deprovision can't be set: …no finalizers in this house…. Look at \
         admission webhooks and policies, and at the operator's role",
        "Exempt the kinds of `scim-operator.dev` from it.",
    ),
    row(
        "policy-takes-finalizers-off",
        "An admission webhook or policy takes finalizers off as they are written",
        "WriteRefused: nothing is sent: the finalizer scim-operator.dev/deprovision is taken off as it is written, by an admission \
         webhook or policy. Look at …",
        "The same: without it a deletion would leave the account as it is.",
    ),
    row(
        "policy-takes-labels-off",
        "An admission webhook or policy takes labels off",
        "RowsRejected: 1 row is rejected: row 1: the API server refused it: the label scim-operator.dev/roster is taken off as it is \
         written, by an admission webhook or policy: except ScimUsers from it, and label … with scim-operator.dev/roster=people. …",
        "The same. Then label what was made meanwhile, as the message says.",
    ),
    row(
        "webhook-refuses-status",
        "An admission webhook refuses what the operator writes into status",
        "Connected: the server answered as SCIM; the API server refuses writes of the operator, and what can't be recorded is not \
         carried out: …no status in this house…. Look at its role, at admission webhooks and policies, and at etcd",
        "The same. What waited goes on by itself, and nothing is sent twice.",
    ),
    row(
        "webhook-down",
        "An admission webhook for the kinds of `scim-operator.dev` doesn't answer",
        "…failed calling webhook \"rules.example.com\"…",
        "Bring its server back, or except our kinds. Nothing can be declared meanwhile, and nobody loses anything.",
    ),
    row(
        "wrong-clock",
        "The clock of the operator's node is wrong",
        "ClockSkew: the server answered as SCIM, but this operator's clock is … s off the API server's: …",
        "Correct the clock. Access windows are not enforced meanwhile.",
    ),
    row(
        "crds-of-another-version",
        "The CRDs are older than the operator",
        "waiting for the CRDs of this version: …: kubectl apply --server-side -f crds/",
        "Apply the CRDs of the operator's release. It is in the operator's log, and the operator isn't ready; an older one goes on \
         meanwhile.",
    ),
    row(
        "crds-newer",
        "The CRDs are newer than the operator, as after a rollback",
        "Connected: the server answered as SCIM",
        "Nothing: fields that the operator doesn't know are left as they are, and do nothing.",
    ),
    row(
        "kubeconfig-plugin",
        "The kubeconfig logs in by a program that isn't installed, as with an image without it",
        "…plug-in no-such-login, which is not installed here…",
        "Install it, or use a kubeconfig with another login. The operator in a cluster needs none.",
    ),
    row(
        "kubeconfig-context",
        "The kubeconfig has no such context",
        "…has no context other; it has a…",
        "Choose one that is named.",
    ),
    row(
        "kubeconfig-missing",
        "`--kubeconfig` names a file that isn't there",
        "…/there/is/none can't be read…",
        "Correct the path.",
    ),
    row(
        "etcd-full",
        "etcd is full",
        "…etcdserver: mvcc: database space exceeded…",
        "Make room as etcd's manual says. Nothing more can be declared, and nothing is sent that couldn't be recorded.",
    ),
    row(
        "etcd-full-running",
        "The same, while the operator runs",
        "the Lease scim-operator could not be written: …space exceeded…",
        "The same. Without its Lease the operator ends within seconds; started again, it goes on where it was.",
    ),
    row(
        "etcd-full-operator",
        "The same, seen by the operator",
        "the Lease…space exceeded…",
        "The same. The operator doesn't begin without its Lease; afterwards it goes on where it was.",
    ),
];

const HEAD: &str = "\
# Troubleshooting

What goes wrong at first, what is told of it, and what to do. Each row is tried by a test (tests/mistakes.rs) at a real API
server; this page is written by them (`make troubleshooting`). `…` stands for what differs from case to case.

```sh
kubectl get scim -A -o wide                       # every object, with its message
kubectl describe scimconnection NAME              # conditions and events of a connection
kubectl -n scim-operator logs deploy/scim-operator
```

All reasons are in [conditions.md](conditions.md), alerts in [runbooks](runbooks/README.md).
";

/// Holds what a test was told to what the table says of it.
pub fn told(name: &str, actual: &str) {
    let mistake = PARTS.iter().flat_map(|(_, rows)| *rows).find(|row| row.name == name);
    let seen = mistake.unwrap_or_else(|| panic!("the table has no {name}")).seen;
    let fits = fits(seen, actual.trim());
    assert!(fits, "{name}\n   told: {actual}\n  table: {seen}");
}

/// The pieces between `…` are there, in their order; the first and the last at the ends.
fn fits(seen: &str, actual: &str) -> bool {
    let pieces: Vec<&str> = seen.split('…').collect();
    let mut rest = actual;
    for (place, piece) in pieces.iter().enumerate() {
        let at = if place + 1 == pieces.len() { rest.len().checked_sub(piece.len()) } else { rest.find(piece) };
        match at {
            Some(at) if rest[at..].starts_with(piece) && (place > 0 || at == 0) => rest = &rest[at + piece.len()..],
            _ => return false,
        }
    }
    true
}

fn page() -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let mut page = HEAD.to_owned();
    for (part, rows) in PARTS {
        page += &format!("\n## {part}\n\n| mistake | what one sees | what to do |\n|---|---|---|\n");
        for Mistake { mistake, seen, instead, .. } in *rows {
            page += &format!("| {} | {} | {} |\n", cell(mistake), cell(&code(seen.trim())), cell(instead));
        }
    }
    page
}

/// As code, whatever is in it.
fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

#[test]
fn the_page_is_what_the_tests_see() {
    let file = repository().join("docs/troubleshooting.md");
    let expected = page();
    if std::env::var_os("WRITE_TROUBLESHOOTING").is_some() {
        fs::write(&file, expected).expect("docs/troubleshooting.md is written");
        return;
    }
    let page = fs::read_to_string(&file).unwrap_or_default();
    let differs = page.lines().zip(expected.lines()).find(|(now, wanted)| now != wanted);
    assert!(
        page == expected,
        "docs/troubleshooting.md is not what the table says; run `make troubleshooting`: {differs:?}"
    );
}

#[test]
fn every_mistake_is_made_by_a_test() {
    let mut sources = String::new();
    for entry in fs::read_dir(repository().join(Path::new("tests/mistakes"))).expect("the tests") {
        let path = entry.expect("its entry").path();
        if !path.ends_with("table.rs") {
            sources += &fs::read_to_string(path).expect("a source");
        }
    }
    for row in PARTS.iter().flat_map(|(_, rows)| *rows) {
        assert!(sources.contains(&format!("\"{}\"", row.name)), "no test makes the mistake {}", row.name);
    }
}

#[test]
fn what_differs_is_left_out_and_nothing_else() {
    assert!(fits("a … c", "a b c") && fits("a…", "a") && fits("…c", "b c") && fits("abc", "abc"));
    assert!(!fits("a … d", "a b c") && !fits("abc", "abcd") && !fits("bc", "abc"));
}
