//! A made-up company: thirty people at three services, one of which is in trouble.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use scim_operator::api::{FINALIZER, ScimUserSpec};
use scim_operator::plan::{Applied, Declared};
use scim_operator::scim::Profile;
use serde_json::{Value, json};

/// Everybody, with what they do and the team that they are of.
const PEOPLE: [(&str, &str, &str, &str); 30] = [
    ("Amara", "Okonkwo", "Head of Platform", "platform"),
    ("Benoît", "Lefèvre", "Site Reliability Engineer", "platform"),
    ("Chiara", "Moretti", "Security Engineer", "security"),
    ("Daniel", "Kessler", "Controller", "finance"),
    ("Elif", "Yıldız", "Software Engineer", "platform"),
    ("Farah", "Haddad", "Product Manager", "product"),
    ("Gustav", "Lindqvist", "Software Engineer", "platform"),
    ("Hana", "Watanabe", "Data Analyst", "data"),
    ("Imran", "Siddiqui", "Security Engineer", "security"),
    ("Jelena", "Petrović", "Recruiter", "people"),
    ("Kwame", "Mensah", "Software Engineer", "product"),
    ("Lucía", "Fernández", "Designer", "product"),
    ("Mikkel", "Sørensen", "Data Engineer", "data"),
    ("Noa", "Ben-David", "Staff Engineer", "platform"),
    ("Oluwaseun", "Adeyemi", "Support Lead", "support"),
    ("Priya", "Raman", "Engineering Manager", "product"),
    ("Quentin", "Dubois", "Support Engineer", "support"),
    ("Rosa", "Delgado", "Accountant", "finance"),
    ("Sanne", "de Vries", "Legal Counsel", "people"),
    ("Tomasz", "Zieliński", "Software Engineer", "product"),
    ("Ulrike", "Bauer", "Payroll Specialist", "finance"),
    ("Valentina", "Costa", "Designer", "product"),
    ("Wei", "Zhang", "Data Scientist", "data"),
    ("Ximena", "Torres", "Support Engineer", "support"),
    ("Yusuf", "Demir", "Software Engineer", "platform"),
    ("Zofia", "Nowak", "People Partner", "people"),
    ("Arjun", "Mehta", "Site Reliability Engineer", "platform"),
    ("Brigid", "Murphy", "Technical Writer", "product"),
    ("Cedric", "Nkosi", "Security Analyst", "security"),
    ("Dilara", "Aksoy", "Software Engineer", "data"),
];
const TEAMS: [&str; 7] = ["platform", "security", "finance", "product", "data", "people", "support"];
/// What the last day was like, by the hour, the newest last: mornings are busy.
const DAY: [u32; 24] = [1, 0, 0, 2, 6, 9, 4, 3, 5, 8, 4, 2, 1, 1, 0, 0, 0, 1, 3, 7, 12, 9, 6, 6];
/// Who is in the hold: whom the export left out, who loses roles, who is renamed.
const LEAVING: std::ops::Range<usize> = 9..20;
const LOSING: [usize; 3] = [2, 8, 28];
const RENAMED: [usize; 2] = [4, 21];
const HOLD: &str = "5d1c07e29ab34f68";
/// The one whose account is read.
const READ: usize = 13;

/// Its objects, by the plural of their kinds.
pub struct Company {
    pub objects: Vec<(&'static str, Value)>,
    operations: AtomicU64,
}

/// Without accents, as addresses are.
fn plain(name: &str) -> String {
    let letter = |letter: char| match letter {
        'î' | 'í' | 'ı' => 'i',
        'è' | 'é' => 'e',
        'á' => 'a',
        'ć' => 'c',
        'ń' => 'n',
        'ø' => 'o',
        ' ' => '-',
        other => other.to_ascii_lowercase(),
    };
    name.chars().map(letter).collect()
}

fn name(person: usize) -> String {
    format!("{}-{}", plain(PEOPLE[person].0), plain(PEOPLE[person].1))
}

fn mail(person: usize) -> String {
    format!("{}.{}@example.com", plain(PEOPLE[person].0), plain(PEOPLE[person].1))
}

fn ago(minutes: i64) -> String {
    (Timestamp::now() - SignedDuration::from_mins(minutes)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// When an object was last changed: as many in each hour as the day says.
fn changed(number: usize) -> String {
    let total: u32 = DAY.iter().sum();
    let mut left = u32::try_from(number * 7).unwrap_or_default() % total;
    for (hour, count) in DAY.iter().enumerate() {
        if left < *count {
            let hour = i64::try_from(23 - hour).unwrap_or_default();
            return ago(hour * 60 + 5 + i64::from(left * 50 / count.max(&1)));
        }
        left -= count;
    }
    ago(5)
}

fn ready(status: &str, reason: &str, message: &str, minutes: i64) -> Value {
    json!([{"type": "Ready", "status": status, "reason": reason, "message": message, "observedGeneration": 2,
        "lastTransitionTime": ago(minutes)}])
}

fn metadata(name: &str, labels: &Value) -> Value {
    json!({"name": name, "namespace": "identity", "uid": format!("uid-{name}"), "generation": 2, "resourceVersion": "1",
        "creationTimestamp": ago(60 * 24 * 200), "finalizers": [FINALIZER], "labels": labels})
}

/// The account that is read, as the server has it.
pub fn account() -> Value {
    let (given, family, _, _) = PEOPLE[READ];
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": mail(READ), "active": true,
        "displayName": format!("{given} {family}"), "title": "Principal Engineer", "locale": "en-GB",
        "name": {"givenName": given, "familyName": family},
        "emails": [{"type": "work", "value": mail(READ), "primary": true}]})
}

fn spec(connection: &str, person: usize) -> Value {
    let (given, family, title, _) = PEOPLE[person];
    json!({"connectionRef": {"kind": "ScimConnection", "name": connection}, "userName": mail(person), "active": true,
        "displayName": format!("{given} {family}"), "title": title, "name": {"givenName": given, "familyName": family},
        "emails": [{"type": "work", "value": mail(person), "primary": true}]})
}

/// What status keeps of values that were carried out, so that a change at the server is told from one that is owed.
fn applied(spec: &Value) -> String {
    let spec: ScimUserSpec = serde_json::from_value(spec.clone()).expect("a spec");
    let declared = Declared::new(&spec, None, &Profile::generic(), Timestamp::now());
    let mut applied = Applied::default();
    for (path, value) in &declared.attributes {
        applied.set(&path.to_string(), Some(value));
    }
    applied.text()
}

impl Company {
    pub fn new(server: &str, key: &str, read: &str) -> Self {
        let mut company = Self { objects: Vec::new(), operations: AtomicU64::new(1000) };
        let mut number = 0;
        for connection in ["datadog", "github", "slack"] {
            for person in 0..PEOPLE.len() {
                let user = user(connection, person, number, read);
                company.objects.push(("scimusers", user));
                number += 1;
            }
            TEAMS.iter().for_each(|team| company.objects.push(("scimgroups", group(connection, team))));
        }
        company.objects.extend(connections(server).map(|connection| ("scimconnections", connection)));
        company.objects.push(("secrets", secret(key)));
        company.objects.push(("scimrosters", roster()));
        company.objects.extend(events().map(|event| ("events", event)));
        company
    }

    /// Lists of this resource are answered.
    pub fn has(&self, resource: &str) -> bool {
        resource == "clusterscimconnections" || self.objects.iter().any(|(of, _)| *of == resource)
    }

    /// A little more each time.
    pub fn metrics(&self) -> String {
        let count = self.operations.fetch_add(7, Ordering::Relaxed);
        format!(
            "scim_operator_operations_total{{connection=\"identity/datadog\",type=\"Update\"}} {count}\n\
             scim_operator_errors_total{{connection=\"identity/slack\",class=\"throttled\"}} {}\n",
            count / 7
        )
    }
}

fn user(connection: &str, person: usize, number: usize, read: &str) -> Value {
    let object = if connection == "datadog" { name(person) } else { format!("{connection}-{}", name(person)) };
    let (_, _, _, team) = PEOPLE[person];
    let spec = spec(connection, person);
    let mut labels = json!({"team": team});
    if connection == "slack" {
        labels["scim-operator.dev/roster"] = "hr".into();
    }
    let is_read = connection == "github" && person == READ;
    let id = if is_read { read.to_owned() } else { format!("{:08x}-{connection}", 0x9b2f_0000_u64 + number as u64) };
    let mut status = json!({"observedGeneration": 2, "id": id, "boundTo": "https://scim.example.com", "userName": mail(person),
        "active": true, "lastAppliedActive": true, "state": "Active", "conditions": ready("True", "Synced", "the server shows what is declared", 60 * 24 * 9),
        "lastOperation": {"type": "Update", "at": changed(number), "attributes": ["title"]},
        "managedAttributes": ["displayName", "emails[type eq \"work\"]", "name.familyName", "name.givenName", "title"]});
    let mut set =
        |fields: Value| status.as_object_mut().expect("a map").extend(fields.as_object().expect("a map").clone());
    if is_read || (connection == "github" && person == 22) {
        set(json!({"state": "Drifted", "drift": [{"path": "title"}], "appliedAttributes": applied(&spec),
            "conditions": ready("True", "Drifted", "changed at the server and left so by driftPolicy.attributes: title", 55)}));
    }
    if connection == "github" && person == 25 {
        let message = "the server refuses title (invalidValue: must be one of the company's job titles), and has everything else; it is \
                       tried again hourly, and when the value declared changes";
        let mut conditions = ready("False", "Rejected", message, 180);
        let stalled = json!({"type": "Stalled", "status": "True", "reason": "Rejected", "message": message, "lastTransitionTime": ago(180)});
        conditions.as_array_mut().expect("a list").push(stalled);
        set(json!({"state": "Failed", "conditions": conditions}));
    }
    if connection == "slack" {
        let held = match person {
            person if LEAVING.contains(&person) => Some(("Deactivate", "Deactivate of active")),
            person if LOSING.contains(&person) => Some(("Update", "Update of roles")),
            person if RENAMED.contains(&person) => Some(("Update", "Update of userName, emails[type eq \"work\"]")),
            _ => None,
        };
        if let Some((operation, change)) = held {
            let message =
                format!("{change} is held: it exceeds the connection's guards and needs approval. Hold {HOLD} has 16");
            set(json!({"state": "Held", "hold": {"id": HOLD, "operation": operation, "digest": "0"},
                "conditions": ready("False", "Held", &message, 34)}));
        }
    }
    json!({"apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimUser", "metadata": metadata(&object, &labels), "spec": spec, "status": status})
}

fn group(connection: &str, team: &str) -> Value {
    let count = PEOPLE.iter().filter(|person| person.3 == team).count();
    let spec = json!({"connectionRef": {"kind": "ScimConnection", "name": connection}, "displayName": team, "membership": "Exact",
        "memberSelector": {"matchLabels": {"team": team}}});
    let status = json!({"state": "Synced", "id": format!("g-{team}"), "members": {"declared": count, "present": count, "waiting": 0},
        "lastOperation": {"type": "Update", "at": changed(count * 5)},
        "conditions": ready("True", "Synced", "the server shows what is declared", 60 * 24 * 9)});
    json!({"apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimGroup", "metadata": metadata(&format!("{connection}-{team}"), &json!({})),
        "spec": spec, "status": status})
}

/// One is well, one wants to be looked at soon, and one waits for an answer.
fn connections(server: &str) -> impl Iterator<Item = Value> {
    let auth = json!({"bearerToken": {"secretKeyRef": {"name": "scim-key", "key": "token"}}});
    let whole =
        json!({"declared": 30, "synced": 30, "pending": 0, "failed": 0, "held": 0, "drifted": 0, "unmanaged": 0});
    let groups = json!({"declared": 7, "synced": 7, "pending": 0, "failed": 0, "held": 0});
    let guards = |used: i64| {
        json!([{"name": "removals", "base": 30, "limit": 5, "used": used, "buckets": []},
            {"name": "rewrites", "base": 30, "limit": 5, "used": 1, "buckets": []}])
    };
    let sweep = json!({"lastCompleted": ago(4), "complete": true, "duration": "3s"});
    let conditions = |holding: bool| {
        let mut all = ready("True", "Connected", "the server answers", 60 * 24 * 40);
        let mut tell = |kind: &str, reason: &str, message: &str, since: i64| {
            let told = json!({"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": ago(since)});
            all.as_array_mut().expect("a list").push(told);
        };
        tell("Connected", "Connected", "the server answers", 60 * 24 * 40);
        if holding {
            tell("Holding", "Held", "", 34);
        }
        all
    };
    let hold = json!([{"id": HOLD, "reason": "removals, rewrites", "since": ago(34), "creates": 0, "updates": 5, "deactivations": 11, "deletes": 0}]);
    let drifted =
        json!({"declared": 30, "synced": 29, "pending": 0, "failed": 1, "held": 0, "drifted": 2, "unmanaged": 1});
    let held =
        json!({"declared": 30, "synced": 14, "pending": 0, "failed": 0, "held": 16, "drifted": 0, "unmanaged": 0});
    let statuses = [
        (
            "datadog",
            json!({"users": whole, "groups": groups, "guards": guards(1), "sweep": sweep, "conditions": conditions(false),
            "credentials": {"expiresAt": ago(-60 * 24 * 210)}}),
        ),
        (
            "github",
            json!({"users": drifted, "groups": groups, "guards": guards(0), "sweep": sweep, "conditions": conditions(false),
            "credentials": {"expiresAt": ago(-60 * 24 * 9 - 60)}}),
        ),
        (
            "slack",
            json!({"users": held, "groups": groups, "guards": guards(5), "sweep": sweep, "conditions": conditions(true), "holds": hold}),
        ),
    ];
    let server = server.to_owned();
    statuses.into_iter().map(move |(name, status)| {
        json!({"apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimConnection", "metadata": metadata(name, &json!({})),
            "spec": {"baseUrl": server, "auth": auth, "driftPolicy": {"attributes": "Report"}}, "status": status})
    })
}

fn secret(key: &str) -> Value {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(key);
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "scim-key", "namespace": "identity", "resourceVersion": "1",
        "creationTimestamp": ago(60 * 24 * 80), "labels": {"scim-operator.dev/credentials": "true"}}, "data": {"token": encoded}})
}

fn roster() -> Value {
    let mappings = [
        ("userName", "lower(row.email)"),
        ("name.givenName", "row.first_name"),
        ("name.familyName", "row.last_name"),
        ("title", "row.job_title"),
    ]
    .map(|(target, value)| json!({"target": target, "value": value}));
    json!({"apiVersion": "scim-operator.dev/v1alpha1", "kind": "ScimRoster", "metadata": metadata("hr", &json!({})),
        "spec": {"connectionRef": {"kind": "ScimConnection", "name": "slack"}, "source": {"configMaps": {"names": ["hr-export"]}},
            "key": "row.employee_id", "scope": "row.status == 'active'", "mappings": mappings},
        "status": {"rows": 34, "inScope": 32, "generated": 30, "rejectedRows": 2, "lastGood": ago(34), "conditions": ready("True", "Synced", "", 34),
            "rejected": [{"row": 17, "reason": "userName: the e-mail is empty", "source": "hr-export/people.csv"},
                {"row": 23, "reason": "the key is that of row 11", "source": "hr-export/people.csv"}]}})
}

fn events() -> impl Iterator<Item = Value> {
    let told = [
        ("ScimConnection", "slack", "Warning", "Held", "11 deactivations, 5 updates held (removals, rewrites)", 34),
        ("ScimUser", "github-zofia-nowak", "Warning", "Rejected", "the server refuses title: invalidValue", 180),
        ("ScimUser", "github-noa-ben-david", "Normal", "Drifted", "changed at the server: title", 55),
        ("ScimRoster", "hr", "Normal", "Applied", "34 rows: 30 people, 2 rows are rejected", 34),
    ];
    told.into_iter().enumerate().map(|(number, (kind, name, type_, reason, message, minutes))| {
        json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": format!("{name}.{number}"), "namespace": "identity"}, "type": type_,
            "reason": reason, "message": message, "lastTimestamp": ago(minutes),
            "involvedObject": {"apiVersion": "scim-operator.dev/v1alpha1", "kind": kind, "namespace": "identity", "name": name, "uid": format!("uid-{name}")}})
    })
}
