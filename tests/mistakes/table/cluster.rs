//! Rows of the table: the cluster.

use super::{Mistake, row};

pub const CLUSTER: &[Mistake] = &[
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
