//! What people tell the operator through the page: by the same functions as the commands, one at a time.

use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};

use super::addresses::{address, group_address, is_name};
use crate::cluster::{Cluster, Kind, Target};
use crate::commands::{answer, change};

/// A form as the browser sends it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Form {
    /// Only our own pages know it.
    #[serde(rename = "form")]
    pub word: String,
    pub action: String,
    pub id: String,
    pub count: String,
    pub kind: String,
    pub namespace: String,
    pub name: String,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    Approve { id: String, count: u64 },
    Reject { id: String, count: u64, of_roster: bool },
    Sync(Place),
    Suspend(Place),
    Resume(Place),
}

/// An object.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    target: Target,
    namespace: String,
}

/// An act, and who waits for how it ends.
pub type Request = (Act, oneshot::Sender<anyhow::Result<()>>);

impl Act {
    /// What a form asks for; what no form of ours says is an error in words.
    pub fn read(form: &Form) -> Result<Self, String> {
        let count =
            || form.count.trim().parse().map_err(|_| "Type the count as a number. Nothing was changed.".to_owned());
        let place = || -> Result<Place, String> {
            if !(is_name(&form.namespace) && is_name(&form.name)) {
                return Err("There is no object of such a name. Nothing was changed.".to_owned());
            }
            let target = format!("{}/{}", form.kind, form.name).parse()?;
            Ok(Place { target, namespace: form.namespace.clone() })
        };
        Ok(match form.action.as_str() {
            "approve" => Self::Approve { id: form.id.clone(), count: count()? },
            "reject" => Self::Reject { id: form.id.clone(), count: count()?, of_roster: form.kind == "roster" },
            "sync" => Self::Sync(place()?),
            "suspend" => Self::Suspend(place()?),
            "resume" => Self::Resume(place()?),
            _ => return Err("There is no such action. Nothing was changed.".to_owned()),
        })
    }

    /// The page to go on with.
    pub fn page(&self) -> String {
        match self {
            Self::Approve { .. } => "/holds?done=approved".to_owned(),
            Self::Reject { of_roster: true, .. } => "/holds?done=rejected-roster".to_owned(),
            Self::Reject { .. } => "/holds?done=rejected".to_owned(),
            Self::Sync(place) => place.page("synced"),
            Self::Suspend(place) => place.page("suspended"),
            Self::Resume(place) => place.page("resumed"),
        }
    }

    async fn carry_out(self, cluster: &Cluster) -> anyhow::Result<()> {
        match self {
            Self::Approve { id, count } => {
                answer::approve(cluster, &answer::Arguments { id, yes: Some(count) }).await?;
            }
            Self::Reject { id, count, .. } => {
                answer::reject(cluster, &answer::Arguments { id, yes: Some(count) }).await?;
            }
            Self::Sync(place) => {
                let (cluster, targets) = place.within(cluster);
                change::sync(&cluster, &change::SyncArguments { targets }).await?;
            }
            Self::Suspend(place) => {
                let (cluster, targets) = place.within(cluster);
                change::suspend(&cluster, &change::Arguments { targets }, true).await?;
            }
            Self::Resume(place) => {
                let (cluster, targets) = place.within(cluster);
                change::suspend(&cluster, &change::Arguments { targets }, false).await?;
            }
        }
        Ok(())
    }
}

impl Place {
    fn page(&self, done: &str) -> String {
        let page = match self.target.kind {
            Kind::User => address(&self.namespace, &self.target.name),
            Kind::Group => group_address(&self.namespace, &self.target.name),
            _ => "/".to_owned(),
        };
        format!("{page}?done={done}")
    }

    fn within(self, cluster: &Cluster) -> (Cluster, Vec<Target>) {
        (Cluster { client: cluster.client.clone(), namespace: self.namespace, all: false }, vec![self.target])
    }
}

/// What a notice says of an act that is done. The address of a page can't say anything else.
pub fn notice(done: &str) -> Option<&'static str> {
    Some(match done {
        "approved" => "The hold is approved: what is in it is being carried out.",
        "rejected" => "The hold is rejected: deleted objects go without touching their accounts, edits stay held.",
        "rejected-roster" => "The hold is rejected: the ScimUsers stay, and so do their accounts.",
        "synced" => "Provisioning was asked for.",
        "suspended" => "It is suspended. A tool that applies manifests may set it back.",
        "resumed" => "It is resumed. A tool that applies manifests may set it back.",
        _ => return None,
    })
}

/// Carries them out as they come.
pub async fn carry_out(cluster: &Cluster, mut requests: mpsc::Receiver<Request>) {
    while let Some((act, told)) = requests.recv().await {
        // Whoever asked may be gone; it is done nonetheless.
        let _ = told.send(act.carry_out(cluster).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> Form {
        serde_json::from_value(
            fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).into()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        )
        .unwrap()
    }

    #[test]
    fn a_form_says_what_is_done_or_nothing_is() {
        let approve = form(&[("action", "approve"), ("id", "3f2a9c0d11b2e477"), ("count", " 25 ")]);
        assert_eq!(Act::read(&approve), Ok(Act::Approve { id: "3f2a9c0d11b2e477".into(), count: 25 }));
        let sync =
            Act::read(&form(&[("action", "sync"), ("kind", "user"), ("namespace", "identity"), ("name", "ada")]))
                .unwrap();
        assert_eq!(sync.page(), "/people/identity/ada?done=synced");
        for wrong in [
            form(&[]),
            form(&[("action", "approve"), ("id", "3f2a9c0d11b2e477"), ("count", "many")]),
            form(&[("action", "delete"), ("kind", "user"), ("namespace", "identity"), ("name", "ada")]),
            form(&[("action", "sync"), ("kind", "pod"), ("namespace", "identity"), ("name", "ada")]),
            form(&[("action", "sync"), ("kind", "user"), ("namespace", "identity"), ("name", "..")]),
            form(&[("action", "sync"), ("kind", "user"), ("namespace", "identity/../other"), ("name", "ada")]),
        ] {
            assert!(Act::read(&wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(notice("<b>anything</b>"), None);
    }

    #[test]
    fn i29_a_rejected_hold_of_a_roster_is_told_to_keep_its_people() {
        let rejected = |kind: &str| {
            let fields = [("action", "reject"), ("id", "3f2a9c0d11b2e477"), ("count", "25"), ("kind", kind)];
            let page = Act::read(&form(&fields)).unwrap().page();
            notice(page.split_once("done=").unwrap().1).unwrap()
        };
        assert!(rejected("roster").contains("the ScimUsers stay") && !rejected("roster").contains("deleted objects"));
        assert!(rejected("").contains("deleted objects go without touching their accounts"));
    }
}
