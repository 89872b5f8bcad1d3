//! The words that a connection chooses between.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }
    };
}

choice!(
    /// The preset of a dialect.
    Provider {
        /// Any server that follows RFC 7643 and RFC 7644.
        #[default]
        Generic,
        /// SAML Jackson, now Ory Polis.
        Jackson,
        /// Datadog.
        Datadog,
        /// AWS IAM Identity Center.
        AwsIdentityCenter,
        /// GitHub Enterprise with managed users.
        GitHub,
        /// Slack.
        Slack,
        /// Google Cloud Identity and Google Workspace.
        GoogleCloudIdentity,
    }
);
choice!(
    /// Whether anything is written.
    Mode {
        /// What is declared is carried out.
        #[default]
        Apply,
        /// What would be done is computed and shown, and held until a person approves it.
        Plan,
    }
);
choice!(
    /// What may be done.
    Action {
        /// Create accounts.
        #[default]
        Create,
        /// Change attributes, re-activate.
        Update,
        /// Deactivate and delete.
        Deprovision,
    }
);
choice!(
    /// What to do about an account that is already there.
    AdoptionPolicy {
        /// Bind to it.
        #[default]
        Adopt,
        /// Leave it, and say so.
        Refuse,
    }
);
choice!(
    /// What deleting an object does.
    DeletionPolicy {
        /// The account is deactivated.
        #[default]
        Deactivate,
        /// The account is deleted.
        Delete,
        /// The account stays as it is.
        Retain,
    }
);
choice!(
    /// What to do about a change made at the server.
    RepairPolicy {
        /// Put it back.
        Repair,
        /// Say so.
        #[default]
        Report,
    }
);
choice!(
    /// What to do about accounts that no object declares.
    UnmanagedPolicy {
        /// Nothing.
        #[default]
        Ignore,
        /// Count them in status.
        Report,
    }
);
choice!(
    /// The requests that a rate limit counts.
    RateLimitFor {
        /// All requests.
        #[default]
        All,
        /// GET.
        Reads,
        /// Everything else.
        Writes,
        /// POST of new accounts.
        Creates,
    }
);
choice!(
    /// How accounts are changed.
    WriteMethod {
        /// PATCH, RFC 7644 §3.5.2.
        #[default]
        Patch,
        /// GET, merge and PUT, RFC 7644 §3.5.1.
        Put,
    }
);
choice!(
    /// How entries of lists are changed by PATCH.
    PatchPaths {
        /// By a path with a filter: `emails[type eq "work"]`.
        #[default]
        Filter,
        /// The whole list is replaced.
        Whole,
    }
);
choice!(
    /// How the server pages its lists.
    Paging {
        /// By `startIndex` and `count`.
        #[default]
        Index,
        /// By `cursor` and `count`, RFC 9865.
        Cursor,
        /// Not at all.
        None,
    }
);
choice!(
    /// The content type of requests.
    ContentType {
        /// `application/scim+json`.
        #[default]
        ScimJson,
        /// `application/json`.
        Json,
    }
);
choice!(
    /// Which value the server's `userName` filter looks at.
    MatchBy {
        /// The userName.
        #[default]
        UserName,
        /// The first e-mail address.
        Email,
    }
);
choice!(
    /// What deleting a ScimGroup does.
    GroupDeletionPolicy {
        /// The group is deleted.
        Delete,
        /// The group stays as it is, with its members.
        #[default]
        Retain,
    }
);
choice!(
    /// Whether members that nobody declared are taken out.
    Membership {
        /// Whoever isn't declared is taken out.
        #[default]
        Exact,
        /// Only members that the object brought in are taken out.
        Additive,
    }
);
choice!(
    /// How a member is taken out of a group by PATCH.
    MemberRemoval {
        /// By a path with a filter: `members[value eq "…"]`.
        #[default]
        Filter,
        /// By the path `members` and a list of values.
        Values,
    }
);
choice!(
    /// Whether the server shows the members of a group.
    MembersReadable {
        /// With the group.
        #[default]
        Inline,
        /// With the group, if they are asked for (`attributes=members`, `includeMembers=true`).
        OnRequest,
        /// Never, but it tells of one account whether it is in (`id eq "…" and members eq "…"`): what was written is
        /// recorded with the members, and asked for in turn.
        Probe,
        /// Not at all: what was written is recorded with the members.
        No,
    }
);
