//! Rows of the table: the key.

use super::{Mistake, row};

pub const KEY: &[Mistake] = &[
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
    row(
        "key-encoded-twice",
        "The key was encoded by hand, and then once more with the Secret",
        "CredentialsRejected: …; the key token of the Secret key looks like base64 of something, which is sent as it is: write what it was \
         made of",
        "Write the key itself into `stringData`, or encode it once for `data`.",
    ),
];
