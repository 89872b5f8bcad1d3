//! The two answers to a hold, and the commands that do the same.

use maud::{Markup, html};

use super::rights::Rights;
use crate::cluster::Kind;
use crate::commands::holds::Hold;
use crate::global::Global;

/// The options that commands need to reach what the console shows.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    /// The console was started with this context,
    pub context: Option<String>,
    /// and with this kubeconfig.
    pub kubeconfig: Option<String>,
}

impl Commands {
    /// As the command line says.
    pub fn of(global: &Global) -> Self {
        let kubeconfig = global.kubeconfig.as_ref().map(|file| file.display().to_string());
        Self { context: global.context.clone(), kubeconfig }
    }

    /// `kubectl scim approve ID`, wherever the hold is: of a namespace, or of the cluster.
    pub fn of_hold(&self, verb: &str, id: &str, hold: &Hold) -> String {
        let namespace = hold.namespace.as_ref().filter(|_| hold.kind != Kind::ClusterConnection);
        let namespace = namespace.map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
        self.with_options(&format!("kubectl scim {verb} {id}{namespace}"))
    }

    /// A command of ours with them.
    fn with_options(&self, command: &str) -> String {
        let given = [("kubeconfig", &self.kubeconfig), ("context", &self.context)];
        let given =
            given.into_iter().filter_map(|(name, value)| Some(format!(" --{name} {}", quoted(value.as_ref()?))));
        format!("{command}{}", given.collect::<String>())
    }
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Approve, reject, and the commands. Where not all of a hold is to be seen, only what changes nothing can be answered.
pub fn answers(hold: &Hold, id: &str, is_all: bool, rights: Rights, form_word: &str, commands: &Commands) -> Markup {
    let is_roster = hold.kind == Kind::Roster;
    let goes = if is_roster {
        "Reject: the ScimUsers stay"
    } else {
        "Reject: deleted objects go without touching their accounts, edits stay held"
    };
    let form = |action: &str, title: &str, class: &str, button: &str| {
        html! {
            form.answer method="post" action="/do" {
                input type="hidden" name="form" value=(form_word);
                input type="hidden" name="id" value=(id);
                @if is_roster { input type="hidden" name="kind" value="roster"; }
                label { (title) ". Type " strong { (hold.count()) } " to confirm: "
                    input name="count" inputmode="numeric" pattern="[0-9]+" required autocomplete="off"; }
                button.(class) name="action" value=(action) { (button) }
            }
        }
    };
    html! {
        @if rights.write && (is_all || is_roster) {
            div.answers {
                @if !hold.rejected { (form("reject", goes, "calm", "Reject")) }
                @if is_all { (form("approve", "Approve: all of it is carried out", "bad", "Approve")) }
            }
        }
        p { "Or: " code { (commands.of_hold("approve", id, hold)) } " · " code { (commands.of_hold("reject", id, hold)) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::holds::of_connection;
    use scim_operator::api::ScimConnection;
    use serde_json::{Value, json};

    const ID: &str = "3f2a9c0d11b2e477";

    fn hold(metadata: &Value) -> Hold {
        let connection: ScimConnection = serde_json::from_value(json!({
            "metadata": metadata, "spec": {"baseUrl": "https://scim.example.com", "auth": {}},
            "status": {"holds": [{"id": ID, "reason": "removals", "since": "2026-11-28T11:00:00Z",
                "creates": 0, "updates": 0, "deactivations": 2, "deletes": 0, "memberships": 500}]}}))
        .unwrap();
        of_connection(&connection).remove(0)
    }

    #[test]
    fn i13_the_command_beside_a_hold_finds_it_wherever_the_console_looks() {
        let (own, shared) = (hold(&json!({"name": "a", "namespace": "identity"})), hold(&json!({"name": "a"})));
        let plain = Commands::default();
        assert_eq!(plain.of_hold("approve", ID, &own), format!("kubectl scim approve {ID} -n identity"));
        assert_eq!(plain.of_hold("reject", ID, &shared), format!("kubectl scim reject {ID}"));
        let elsewhere = Commands { context: Some("it's prod".into()), kubeconfig: Some("/etc/k.yaml".into()) };
        let expected =
            format!(r"kubectl scim approve {ID} -n identity --kubeconfig /etc/k.yaml --context 'it'\''s prod'");
        assert_eq!(elsewhere.of_hold("approve", ID, &own), expected);
    }

    #[test]
    fn i13_what_is_typed_is_what_is_told_and_nothing_is_approved_unseen() {
        let hold = hold(&json!({"name": "a", "namespace": "identity"}));
        let shown = |is_all| {
            let rights = Rights { write: true, ..Rights::default() };
            answers(&hold, ID, is_all, rights, "word", &Commands::default()).into_string()
        };
        assert!(shown(true).contains("Type <strong>502</strong>") && shown(true).contains("value=\"approve\""));
        assert!(!shown(false).contains("<button") && shown(false).contains("kubectl scim approve"));
    }
}
