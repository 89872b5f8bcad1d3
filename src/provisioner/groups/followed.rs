//! What becomes of a record of members by their ids, as ids are given out anew: any of the new ones may be another member's
//! old one.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Map, Value, json};

/// What is on record of members by their ids.
pub(super) struct Record<'a> {
    /// Whom the object brought in.
    pub(super) brought: &'a [String],
    /// Since when these have been leaving.
    pub(super) leaving: &'a BTreeMap<String, Time>,
    /// Their userNames.
    pub(super) names: &'a BTreeMap<String, String>,
}

/// What it becomes.
pub(super) struct Followed {
    /// Whom the object brought in, by the old ids and the new ones.
    pub(super) beside: Vec<String>,
    /// The same by the new ones alone.
    pub(super) brought: Vec<String>,
    /// Of the new ids, since when they have been leaving; null where they aren't.
    pub(super) leaving: Map<String, Value>,
    /// Of the new ids, their userNames.
    pub(super) names: Map<String, Value>,
    /// Ids of which nothing is on record any more, each with null.
    pub(super) olds: Map<String, Value>,
}

impl Record<'_> {
    /// These have other ids, and of those nothing is certain any more.
    pub(super) fn follow(&self, moved: &[(String, String)], lost: &[String]) -> Followed {
        let olds: BTreeSet<&String> = moved.iter().map(|(old, _)| old).chain(lost).collect();
        let news: BTreeSet<&String> = moved.iter().map(|(_, new)| new).collect();
        let before: BTreeSet<&String> = self.brought.iter().collect();
        // Everybody is taken out before anybody is put in.
        let mut brought: Vec<String> = self.brought.iter().filter(|id| !olds.contains(id)).cloned().collect();
        let (mut leaving, mut names) = (Map::new(), Map::new());
        for (old, new) in moved {
            if before.contains(old) && !brought.contains(new) {
                brought.push(new.clone());
            }
            let since = self.leaving.get(old);
            if since.is_some() || olds.contains(new) && self.leaving.contains_key(new) {
                leaving.insert(new.clone(), json!(since));
            }
            names.insert(new.clone(), json!(self.names.get(old)));
        }
        let added = brought.iter().filter(|id| !before.contains(id));
        let beside = self.brought.iter().chain(added).cloned().collect();
        let olds = olds.difference(&news).map(|id| ((*id).clone(), Value::Null)).collect();
        Followed { beside, brought, leaving, names, olds }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect()
    }

    fn time(second: i64) -> Time {
        Time(jiff::Timestamp::from_second(second).expect("an instant"))
    }

    #[test]
    fn i18_ids_that_members_pass_on_to_each_other_lose_nobody() {
        let names = pairs(&[("1", "ada"), ("2", "bob"), ("3", "cyd")]).into_iter().collect();
        let leaving = BTreeMap::from([("1".to_owned(), time(1)), ("2".to_owned(), time(2)), ("3".to_owned(), time(3))]);
        let brought = strings(&["1", "2", "3"]);
        let record = Record { brought: &brought, leaving: &leaving, names: &names };
        for moved in [[("1", "2"), ("2", "3"), ("3", "4")], [("1", "2"), ("2", "3"), ("3", "1")]] {
            let followed = record.follow(&pairs(&moved), &[]);
            for (index, (old, new)) in moved.into_iter().enumerate() {
                assert!(followed.brought.contains(&new.to_owned()), "{new}");
                assert_eq!(followed.leaving[new], json!(time(i64::try_from(index).expect("few") + 1)));
                assert_eq!(followed.names[new], json!(names[old]));
            }
            assert_eq!(followed.brought.len(), 3);
            assert_eq!(followed.olds.contains_key("1"), moved[2].1 == "4");
        }
    }

    #[test]
    fn i28_a_record_that_was_written_in_part_becomes_the_same() {
        let names = pairs(&[("1", "ada"), ("2", "bob")]).into_iter().collect();
        let (leaving, moved) = (BTreeMap::new(), pairs(&[("1", "2"), ("2", "3")]));
        let brought = strings(&["1", "2"]);
        let first = Record { brought: &brought, leaving: &leaving, names: &names }.follow(&moved, &[]);
        assert_eq!((&first.beside, &first.brought), (&strings(&["1", "2", "3"]), &strings(&["2", "3"])));
        let again = Record { brought: &first.beside, leaving: &leaving, names: &names }.follow(&moved, &[]);
        assert_eq!(again.brought.iter().collect::<BTreeSet<_>>(), first.brought.iter().collect());
    }

    #[test]
    fn i10_whose_place_nobody_knows_is_forgotten() {
        let names = pairs(&[("1", "ada"), ("2", "bob")]).into_iter().collect();
        let (leaving, brought) = (BTreeMap::from([("1".to_owned(), time(1))]), strings(&["2"]));
        let record = Record { brought: &brought, leaving: &leaving, names: &names };
        let followed = record.follow(&pairs(&[("2", "1")]), &strings(&["1"]));
        assert_eq!((followed.brought, &followed.leaving["1"]), (strings(&["1"]), &Value::Null));
        assert!(followed.olds.contains_key("2") && !followed.olds.contains_key("1"));
    }
}
