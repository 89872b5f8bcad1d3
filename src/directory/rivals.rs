//! Two objects that are recorded as bound to one account, or one group: status is a record, and whoever may write it
//! could have written it (promise I32). Whose it is tells what the server shows.

use std::sync::Arc;

use kube::ResourceExt;

use super::groups::{connection_of_group, is_bound_to};
use super::index::account;
use super::{Claim, Directory, Inner, connection_of, full_name, is_deleting};
use crate::api::{RemoteId, ScimGroup, ScimUser, Uid};
use crate::scim::{Resource, fold};

/// Between two that are bound to one account: an object that declares, or was seen to claim, the name that is shown has
/// it, if the other doesn't. Between equals it can't be told.
fn is_rival(mine: bool, others: bool) -> bool {
    others || !mine
}

impl Directory {
    /// Another living object that is recorded as bound to the account of `user`, and may be right; whatever it declares,
    /// while the account wasn't read.
    pub fn rival(&self, user: &ScimUser, server: &str, found: Option<&Resource>) -> Option<String> {
        let inner = self.read();
        let (id, _) = account(user, server)?;
        let me = Uid::of(&user.metadata);
        let uids = inner.claims.get(server)?.get(&Claim::Account(id.into()))?;
        let mut others = uids.iter().filter(|uid| **uid != me).filter_map(|uid| inner.users.get(uid));
        let name = found.and_then(Resource::user_name).map(fold);
        let fits = |user: &ScimUser| {
            let claimed = user.claimed_at(server).map(|claimed| fold(&claimed.user_name));
            name.is_some() && (name.as_deref() == Some(&*fold(&user.spec.user_name)) || name == claimed)
        };
        let rival = others.find(|other| {
            !is_deleting(other)
                && account(other, server).is_some_and(|(of_other, _)| of_other == id)
                && found.is_none_or(|found| inner.may_have_account(other, found) && is_rival(fits(user), fits(other)))
        })?;
        Some(full_name(rival))
    }

    /// The same for groups.
    pub fn rival_of_group(
        &self,
        group: &ScimGroup,
        id: &RemoteId,
        server: &str,
        shown: Option<&str>,
    ) -> Option<String> {
        let inner = self.read();
        let me = Uid::of(&group.metadata);
        let fits = |group: &ScimGroup| {
            shown.is_some() && (shown == Some(&group.spec.display_name) || shown == group.claimed_at(server).as_deref())
        };
        let bound = inner.groups.bound_to(id).filter(|uid| **uid != me);
        let mut others = bound.filter_map(|uid: &Uid| inner.groups.get(uid)).filter(|other: &&Arc<ScimGroup>| {
            other.metadata.deletion_timestamp.is_none() && is_bound_to(other, id.as_str(), server)
        });
        let rival = others.find(|other| {
            shown.is_none_or(|shown| inner.may_have_group(other, shown) && is_rival(fits(group), fits(other)))
        })?;
        Some(full_name(rival))
    }
}

impl Inner {
    /// The object's namespace may have an account like this one through the object's connection.
    pub(super) fn may_have_account(&self, user: &ScimUser, account: &Resource) -> bool {
        let delegated = self.tenancy.delegated(&user.namespace().unwrap_or_default(), &connection_of(user));
        delegated.refuses_account(account).is_none()
    }

    /// The object's namespace may have an account of this userName through the object's connection.
    pub(super) fn may_have_name(&self, user: &ScimUser, name: &str) -> bool {
        let delegated = self.tenancy.delegated(&user.namespace().unwrap_or_default(), &connection_of(user));
        delegated.refuses_identity(Some(name), []).is_none()
    }

    /// The object's namespace may have a group of this name through the object's connection.
    pub(super) fn may_have_group(&self, group: &ScimGroup, name: &str) -> bool {
        let key = connection_of_group(group);
        let delegated = self.tenancy.delegated(&group.namespace().unwrap_or_default(), &key);
        delegated.refuses_group(name, [], false).is_none()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::json;

    use super::super::ConnectionKey;
    use super::*;
    use crate::api::{CLAIMED_ACCOUNT, ScimUserStatus};

    const SERVER: &str = "here";

    fn user(namespace: &str, name: &str, declares: &str, id: &str) -> ScimUser {
        let spec = json!({"connectionRef": {"name": "c", "kind": "ClusterScimConnection"}, "userName": declares});
        let mut user = ScimUser::new(name, serde_json::from_value(spec).unwrap());
        user.metadata.namespace = Some(namespace.into());
        user.metadata.uid = Some(format!("{namespace}/{name}"));
        user.status = Some(ScimUserStatus {
            id: Some(id.into()),
            bound_to: Some(SERVER.into()),
            user_name: Some(declares.into()),
            ..ScimUserStatus::default()
        });
        user
    }

    fn shown(name: &str) -> Resource {
        Resource(json!({"id": "1", "userName": name}).as_object().cloned().unwrap())
    }

    /// Two namespaces: one may do everything, the other has engineers only.
    fn directory(users: &[&ScimUser]) -> Directory {
        let directory = Directory::default();
        let key = ConnectionKey { namespace: String::new(), name: "c".into() };
        directory.set_server(&key, Some(SERVER));
        let entry = |namespace: &str, names: &str| json!({"namespaceSelector": {"matchLabels": {"name": namespace}}, "userNames": [names]});
        let delegation = json!([entry("hr", "*"), entry("hr2", "*"), entry("eng", "*@eng")]);
        directory.set_delegation(&key, Some(serde_json::from_value(delegation).unwrap()));
        for namespace in ["hr", "hr2", "eng"] {
            directory.set_namespace(namespace, Some([("name".to_owned(), namespace.to_owned())].into()));
        }
        for user in users {
            directory.upsert((*user).clone());
        }
        directory
    }

    #[test]
    fn i32_a_status_that_names_somebody_elses_account_is_found_out() {
        let (ceo, forger) = (user("hr", "ceo", "ceo@top", "1"), user("hr2", "bob", "bob@top", "1"));
        let all = directory(&[&ceo, &forger]);
        let rival = |user: &ScimUser, found: Option<&str>| all.rival(user, SERVER, found.map(shown).as_ref());
        assert_eq!(rival(&forger, Some("ceo@top")).as_deref(), Some("hr/ceo"));
        assert_eq!(rival(&ceo, Some("CEO@top")), None, "it declares what is shown");
        // Neither before it is read, nor where nothing tells.
        assert!(rival(&ceo, None).is_some() && rival(&forger, None).is_some());
        assert!(rival(&ceo, Some("else@top")).is_some() && rival(&forger, Some("else@top")).is_some());
    }

    #[test]
    fn i32_between_two_that_both_declare_the_name_nothing_is_written() {
        let (one, mut other) = (user("hr", "ceo", "ceo@top", "1"), user("hr2", "bob", "bob@top", "1"));
        let claimed = json!({"userName": "ceo@top", "uid": "hr2/bob"}).to_string();
        other.metadata.annotations = Some([(CLAIMED_ACCOUNT.to_owned(), claimed)].into());
        let all = directory(&[&one, &other]);
        assert!(all.rival(&one, SERVER, Some(&shown("ceo@top"))).is_some());
        assert!(all.rival(&other, SERVER, Some(&shown("ceo@top"))).is_some());
    }

    fn group(namespace: &str, name: &str, id: Option<&str>) -> ScimGroup {
        let spec = json!({
            "connectionRef": {"name": "c", "kind": "ClusterScimConnection"}, "displayName": name, "membership": "Exact",
        });
        let mut group = ScimGroup::new("g", serde_json::from_value(spec).unwrap());
        group.metadata.namespace = Some(namespace.into());
        group.metadata.uid = Some(format!("group-{namespace}"));
        group.metadata.annotations = Some([(crate::api::CLAIMED_GROUP.to_owned(), "admins".to_owned())].into());
        group.metadata.finalizers = Some(vec![crate::api::FINALIZER.to_owned()]);
        group.status = Some(crate::api::ScimGroupStatus {
            id: id.map(str::to_owned),
            bound_to: Some(SERVER.into()),
            ..Default::default()
        });
        group
    }

    #[test]
    fn i26_a_group_is_claimed_by_those_alone_who_may_have_it() {
        let all = directory(&[]);
        let key = ConnectionKey { namespace: String::new(), name: "c".into() };
        let entry = |namespace: &str, names: &str| json!({"namespaceSelector": {"matchLabels": {"name": namespace}}, "groups": [names]});
        let delegation = json!([entry("hr", "*"), entry("hr2", "*"), entry("eng", "eng-*")]);
        all.set_delegation(&key, Some(serde_json::from_value(delegation).unwrap()));
        let mine = group("hr", "admins", None);
        all.upsert_group(mine.clone());
        // An older one of that name, one that claims it by annotation, and one whose status names it.
        for (name, id) in [("admins", None), ("other", None), ("admins", Some("1"))] {
            all.upsert_group(group("eng", name, id));
            let claims = all.group_claims(&mine, SERVER, Some("1"));
            assert_eq!((claims.elder, claims.holder), (None, None), "{name} {id:?}");
        }
        all.upsert_group(group("hr2", "admins", Some("1")));
        assert!(all.group_claims(&mine, SERVER, Some("1")).holder.is_some());
        let bound = group("hr", "admins", Some("1"));
        all.upsert_group(bound.clone());
        assert_eq!(all.rival_of_group(&bound, &"1".into(), SERVER, Some("admins")).as_deref(), Some("hr2/g"));
        // One under deletion goes by no claim of theirs either.
        let mut leaving = group("hr", "admins", Some("1"));
        leaving.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        let mut forger = group("eng", "eng-1", Some("1"));
        let claimed = json!({"displayName": "admins", "uid": "group-eng", "server": SERVER}).to_string();
        forger.metadata.annotations = Some([(crate::api::CLAIMED_GROUP.to_owned(), claimed)].into());
        all.upsert_group(forger);
        all.remove_group(&"group-hr2".into());
        assert_eq!(all.group_claims(&leaving, SERVER, Some("1")).successor, None);
        assert_eq!(all.rival_of_group(&bound, &"1".into(), SERVER, Some("admins")), None, "the others may not have it");
    }

    /// It claims the name by an annotation, and has a finalizer of ours.
    #[test]
    fn i32_whoever_may_not_have_the_name_takes_nothing_over() {
        let (mut ceo, mut forger) = (user("hr", "ceo", "ceo@top", "1"), user("eng", "bob", "bob@eng", "1"));
        ceo.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        let claimed = json!({"userName": "ceo@top", "uid": "eng/bob", "server": SERVER}).to_string();
        forger.metadata.annotations = Some([(CLAIMED_ACCOUNT.to_owned(), claimed)].into());
        forger.metadata.finalizers = Some(vec![crate::api::FINALIZER.to_owned()]);
        let all = directory(&[&ceo, &forger]);
        assert_eq!(all.claims(&ceo, SERVER, Some("1")).successor, None);
        forger.metadata.namespace = Some("hr2".into());
        let all = directory(&[&ceo, &forger]);
        assert!(all.claims(&ceo, SERVER, Some("1")).successor.is_some(), "a namespace that may");
    }

    #[test]
    fn i32_a_namespace_that_may_not_have_the_account_is_in_nobodys_way() {
        let (ceo, forger) = (user("hr", "ceo", "old@top", "1"), user("eng", "bob", "bob@eng", "1"));
        let all = directory(&[&ceo, &forger]);
        assert_eq!(all.rival(&ceo, SERVER, Some(&shown("ceo@top"))), None);
    }
}
