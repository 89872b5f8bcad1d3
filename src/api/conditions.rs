//! The reasons of conditions: a closed list, each with its meaning and what to do.

/// The condition beside Ready that a reason brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Also {
    /// None: the object is current.
    Nothing,
    /// It is being worked on, or waits for its turn.
    Reconciling,
    /// It needs a person.
    Stalled,
}

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The reason as it stands in a condition.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }
        }
    };
}

reasons!(
    /// Why a ScimUser or a ScimGroup is Ready, or is not.
    Reason {
        /// The server shows what is declared.
        Synced,
        /// Attributes were changed at the server and are left so by `driftPolicy`.
        Drifted,
        /// The server took attributes and didn't keep them; see `status.ignoredAttributes`.
        NotPersisted,
        /// Inactive, because now lies outside `spec.access`.
        OutsideAccessWindow,
        /// Waiting for its turn or for the server; nothing to do.
        Pending,
        /// Waiting because the server asked for fewer requests; nothing to do.
        RateLimited,
        /// The server keeps the account inactive, as it does until an invitation is accepted; nothing to do here.
        AwaitingAcceptance,
        /// The connection can't be used; its own conditions say why.
        ConnectionNotReady,
        /// There is no such connection: create it, or create the object anew with another `spec.connectionRef`, which can't
        /// be changed.
        ConnectionNotFound,
        /// A group names a member that is not there: create the ScimUser or ScimGroup, or correct the name. All others are
        /// put in.
        MemberNotFound,
        /// `mode: Plan`: the message says what would be done. Approve the hold, or set `mode: Apply`.
        Planned,
        /// A guard stopped it together with others; the message has the hold's id and the commands that approve or reject it.
        Held,
        /// `guards.protected` keeps the account as it is: take it from that list, or declare what it has.
        Protected,
        /// Another object, or another account, stands in the way; the message names it and says what to do.
        Conflict,
        /// The account was there before, and `adoptionPolicy` is Refuse: name it by the annotation `remote-id`, or allow
        /// adoption.
        AdoptionRefused,
        /// The server refused the request; its own words are in the message. Correct the spec.
        Rejected,
        /// The server doesn't know this method: override `spec.dialect` of the connection.
        NotSupported,
        /// A reference leads where it may not: refer to objects of the same namespace and connection.
        NotAllowed,
        /// The connection's `actions` doesn't list what would have to be done: add it there, or take the change back.
        ActionDisabled,
        /// The deletion could not be taken back: set the connection's `allowIrreversibleDelete`, or choose another
        /// `deletionPolicy`.
        IrreversibleDelete,
        /// The object is bound to an account of another server: point the connection back, or create the object anew.
        BoundElsewhere,
        /// A second writer keeps changing attributes back: stop it, or stop declaring them; a change of the spec tries again.
        Contested,
        /// The account was deactivated at the server, not by us: declare `active: true` to have it back, or `active: false`.
        DeactivatedAtServer,
        /// The account was deleted at the server, not by us: annotate the object with `reconcile-requested-at` to
        /// have it created again, or delete the object.
        DeletedAtServer,
        /// The API server doesn't take the operator's finalizer: a right is missing, or an admission webhook or policy is in
        /// the way; its words are in the message. Nothing is sent for the object before.
        WriteRefused,
        /// Suspended: Ready stays as it was. Set `suspend: false` to go on.
        Suspended,
    }
);

pub(super) use reasons;

impl Reason {
    /// The status of Ready; `None` leaves it as it was.
    pub fn ready(self) -> Option<&'static str> {
        match self {
            Self::Suspended => None,
            Self::Synced | Self::Drifted | Self::NotPersisted | Self::OutsideAccessWindow => Some("True"),
            _ => Some("False"),
        }
    }

    /// The condition beside Ready.
    pub fn also(self) -> Also {
        match self {
            Self::Synced
            | Self::Drifted
            | Self::NotPersisted
            | Self::OutsideAccessWindow
            | Self::Planned
            | Self::Suspended => Also::Nothing,
            Self::Pending
            | Self::RateLimited
            | Self::AwaitingAcceptance
            | Self::ConnectionNotReady
            | Self::ConnectionNotFound => Also::Reconciling,
            _ => Also::Stalled,
        }
    }
}

reasons!(
    /// Why a ScimConnection is Connected, or is not.
    ConnectedReason {
        /// The server answered the test as SCIM.
        Connected,
        /// The last good key works on; the new one was refused by the server, or is of another organization. Put a good one into the Secret.
        NewKeyRejected,
        /// The label that allows the Secret's use was taken off, and a controller writes the Secret, as External Secrets does.
        /// The last good key stays in use for ten minutes after each time. Put the label where that writer has its own: `spec.target.template` of
        /// an `ExternalSecret`.
        SecretLabelRemoved,
        /// The Secret is not there: create it in the connection's namespace, or correct the reference.
        SecretNotFound,
        /// The Secret lacks the key, or it is empty or can't be used: add it, or correct the reference.
        SecretKeyMissing,
        /// The Secret lacks the label that allows its use; the message has the command that sets it.
        SecretNotLabelled,
        /// The Secret, the operator, or the kind of address forbids the host: correct `baseUrl`, or the list that forbids.
        HostNotAllowed,
        /// The host's name doesn't resolve: correct `baseUrl`, or the cluster's DNS.
        Unresolvable,
        /// The server can't be reached, or doesn't answer in time: look at firewalls and network policies.
        Unreachable,
        /// The server's certificate isn't trusted, or has another name: give its authority by `tls.caBundle`, its name by
        /// `tls.serverName`.
        TlsFailed,
        /// 401: the server refuses the key. Put a good one into the Secret.
        CredentialsRejected,
        /// 403: the key may not list users. Give it the right, or use another.
        Forbidden,
        /// The answer isn't SCIM: wrong URL, a login page, or a deactivated directory. Correct `baseUrl`, or activate it.
        NotScim,
        /// 404: wrong path or directory. Correct `baseUrl`.
        NotFound,
        /// 405 or 501 to two objects: the dialect doesn't fit. Set `spec.dialect` as the message says.
        NotSupported,
        /// 429: the server asks for fewer requests. It goes on by itself; `rateLimits` keeps it from coming again.
        Throttled,
        /// The server failed. It is tried again.
        ServerError,
        /// The operator's clock differs from the API server's by over 60 s: access windows are not enforced until the clocks agree.
        ClockSkew,
        /// Plain HTTP, which would show the key to the network: use https.
        PlainHttpRefused,
    }
);

impl ConnectedReason {
    /// The connection can be used: Connected is True.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Connected | Self::NewKeyRejected | Self::ClockSkew | Self::SecretLabelRemoved)
    }

    /// What the server did, or didn't, keeps everything from it: the connection is quarantined.
    pub fn is_servers_fault(self) -> bool {
        matches!(
            self,
            Self::Unresolvable
                | Self::Unreachable
                | Self::TlsFailed
                | Self::CredentialsRejected
                | Self::Forbidden
                | Self::NotScim
                | Self::NotFound
                | Self::Throttled
                | Self::ServerError
        )
    }

    /// Only a change by a person mends it: the condition is Stalled.
    pub fn needs_change(self) -> bool {
        !matches!(
            self,
            Self::Connected
                | Self::NewKeyRejected
                | Self::ClockSkew
                | Self::SecretLabelRemoved
                | Self::Unresolvable
                | Self::Unreachable
                | Self::Throttled
                | Self::ServerError
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What kstatus makes of it: True is Current; Reconciling is in progress; Stalled has failed.
    #[test]
    fn no_reason_leaves_a_tool_in_the_dark() {
        for reason in Reason::ALL {
            match reason.ready() {
                Some("True") | None => assert_eq!(reason.also(), Also::Nothing, "{reason:?}"),
                // Neither failed nor at work: kstatus takes it for in progress.
                Some(_) if *reason == Reason::Planned => assert_eq!(reason.also(), Also::Nothing),
                Some(_) => assert_ne!(reason.also(), Also::Nothing, "{reason:?}"),
            }
        }
    }
}
