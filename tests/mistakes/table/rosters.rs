//! Rows of the table: rosters.

use super::{Mistake, row};

pub const ROSTERS: &[Mistake] = &[
    row(
        "roster-connection-missing",
        "`connectionRef` of a roster names a connection that isn't there",
        "ConnectionNotFound: the ScimConnection …/jackson is not there; create it here, since a ClusterScimConnection alone serves \
         several namespaces; or delete this object and apply it with another connectionRef, which can't be changed. Nobody is changed \
         meanwhile",
        "Create the connection; the roster then goes on by itself.",
    ),
    row(
        "roster-connection-elsewhere",
        "The connection is in another namespace than the roster, or than the user",
        "ConnectionNotFound: the ScimConnection …/jackson is not there; create it here, since a ClusterScimConnection alone serves \
         several namespaces; or delete this object and apply it with another connectionRef, which can't be changed. …",
        "Create one in this namespace, with a Secret of its own; or a [ClusterScimConnection](cluster-connections.md), and apply the object \
         anew with `connectionRef.kind`.",
    ),
    row(
        "roster-connection-misspelt",
        "`connectionRef` of a roster is misspelt",
        "ConnectionNotFound: the ScimConnection …/jacksen is not there, this namespace has jackson; create it here, since a \
         ClusterScimConnection alone serves several namespaces; or delete this object and apply it with another connectionRef, \
         which can't be changed. Nobody is changed meanwhile",
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
        "source-unlabelled",
        "The source has no label",
        "SourceNotLabelled: the configmap people lacks the label that lets rosters read it: kubectl label configmap -n … people \
         scim-operator.dev/roster-source=true",
        "Run the command.",
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
