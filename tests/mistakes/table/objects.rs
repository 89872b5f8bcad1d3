//! Rows of the table: users and groups.

use super::{Mistake, row};

pub const OBJECTS: &[Mistake] = &[
    row(
        "connection-missing",
        "`connectionRef` names a connection that isn't there",
        "ConnectionNotFound: the ScimConnection …/jacksen is not there; create it here, since a ClusterScimConnection alone serves \
         several namespaces; or delete this object and apply it with another connectionRef, which can't be changed",
        "Create the connection; the object then goes on by itself.",
    ),
    row(
        "connection-misspelt",
        "`connectionRef` is misspelt",
        "ConnectionNotFound: the ScimConnection …/jacksen is not there, this namespace has jackson; create it here, since a \
         ClusterScimConnection alone serves several namespaces; or delete this object and apply it with another connectionRef, \
         which can't be changed",
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
