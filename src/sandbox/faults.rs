//! Faults on demand: rules that match requests, and what they do to them.
//!
//! Chance is a pure function of the seed, the rule, and how often this very
//! request (method and address) came: the same run meets the same faults,
//! whatever order concurrent requests arrive in.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which requests a rule is for. What is left out matches everything.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Match {
    /// One or more methods, separated by commas.
    pub method: Option<String>,
    /// What the path begins with, below the base: `/Users`.
    pub path_prefix: Option<String>,
    /// What the query contains, decoded.
    pub query_contains: Option<String>,
    /// What the content type of the request begins with.
    pub content_type: Option<String>,
    /// What the body of the request contains.
    pub body_contains: Option<String>,
    /// The chance, 0 to 1, drawn for every matching request.
    pub probability: Option<f64>,
    /// Begin with the nth matching request, counted from 1.
    pub nth: Option<u64>,
    /// How often at most; once if `nth` is given and this is not.
    pub count: Option<u64>,
}

/// What happens to a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub(super) enum Fault {
    /// Answer with a status. With `effect`, what was asked is done first.
    Status {
        code: u16,
        retry_after: Option<Value>,
        body: Option<Value>,
        #[serde(default)]
        effect: bool,
    },
    /// Drop the connection; nothing was done.
    ResetBefore {},
    /// Do what was asked, then drop the connection without an answer.
    ResetAfter {},
    /// Say nothing for that long, then drop the connection; nothing is done.
    Hang { ms: u64 },
    /// Answer in small pieces over that time.
    SlowBody { ms: u64 },
    /// Break off in the middle of the body.
    TruncatedBody {},
    /// Answer with that many bytes.
    HugeBody { bytes: usize },
    /// A login page with status 200; nothing is done.
    #[serde(rename = "html_200")]
    Html200 {},
    /// `{}` with status 200; nothing is done.
    #[serde(rename = "empty_object_200")]
    EmptyObject200 {},
    /// `totalResults` is this, or off by `delta`.
    WrongTotal {
        total: Option<usize>,
        #[serde(default)]
        delta: isize,
    },
    /// The page before comes again.
    RepeatPage {},
    /// The page after comes: one is never seen.
    DropPage {},
    /// Neither `filter` nor `count` is heeded.
    IgnoreQuery {},
    /// Reads do not show the last change of anything, for that long.
    StaleRead {
        #[serde(default = "forever")]
        ms: u64,
    },
    /// Wait before doing anything.
    Latency { ms: u64 },
}

fn forever() -> u64 {
    u64::MAX
}

/// A fault that changes what a read shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PageFault {
    WrongTotal { total: Option<usize>, delta: isize },
    Repeat,
    Drop,
    IgnoreQuery,
    Stale(u64),
}

impl Fault {
    /// Its name in the log.
    pub fn name(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value["kind"].as_str().unwrap_or_default().to_owned()
    }

    /// The part of it that concerns reading.
    pub fn page(&self) -> Option<PageFault> {
        Some(match self {
            Self::WrongTotal { total, delta } => PageFault::WrongTotal { total: *total, delta: *delta },
            Self::RepeatPage {} => PageFault::Repeat,
            Self::DropPage {} => PageFault::Drop,
            Self::IgnoreQuery {} => PageFault::IgnoreQuery,
            Self::StaleRead { ms } => PageFault::Stale(*ms),
            _ => return None,
        })
    }
}

/// A rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Rule {
    #[serde(default, rename = "match")]
    pub matching: Match,
    pub fault: Fault,
}

#[derive(Debug)]
struct Armed {
    rule: Rule,
    number: u64,
    matched: u64,
    fired: u64,
    came: HashMap<String, u64>,
}

/// The rules in force and what they did so far.
#[derive(Debug, Default)]
pub(super) struct Faults {
    seed: u64,
    issued: u64,
    armed: Vec<Armed>,
    /// How many of each fault were injected, whichever rule did it.
    pub log: BTreeMap<String, u64>,
}

/// What the rules make of one request.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub latency_ms: u64,
    pub fault: Option<Fault>,
}

/// A number in 0..1 that depends on all of its input (FNV-1a, then a mixer).
fn chance(seed: u64, rule: u64, request: &str, time: u64) -> f64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let numbers = [seed, rule, time];
    let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
    for byte in bytes.chain(request.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    let top = u32::try_from((hash ^ hash >> 33) >> 32).unwrap_or(u32::MAX);
    f64::from(top) / (f64::from(u32::MAX) + 1.0)
}

impl Faults {
    /// No rules yet.
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Adds rules behind those in force.
    pub fn arm(&mut self, rules: Vec<Rule>) {
        for rule in rules {
            self.armed.push(Armed { rule, number: self.issued, matched: 0, fired: 0, came: HashMap::new() });
            self.issued += 1;
        }
    }

    /// Takes all rules away; the log stays.
    pub fn disarm(&mut self) {
        self.armed.clear();
        self.issued = 0;
    }

    /// The rules in force.
    pub fn rules(&self) -> Vec<&Rule> {
        self.armed.iter().map(|armed| &armed.rule).collect()
    }

    /// Judges one request: latencies add up, and of the other faults the
    /// first one that fires is it.
    pub fn judge(&mut self, method: &str, path: &str, query: &str, content_type: &str, body: &str) -> Verdict {
        let mut verdict = Verdict::default();
        for armed in &mut self.armed {
            let latency = match armed.rule.fault {
                Fault::Latency { ms } => Some(ms),
                _ => None,
            };
            if (latency.is_none() && verdict.fault.is_some())
                || !armed.fires(self.seed, method, path, query, content_type, body)
            {
                continue;
            }
            *self.log.entry(armed.rule.fault.name()).or_default() += 1;
            match latency {
                Some(ms) => verdict.latency_ms += ms,
                None => verdict.fault = Some(armed.rule.fault.clone()),
            }
        }
        verdict
    }
}

impl Armed {
    fn fires(&mut self, seed: u64, method: &str, path: &str, query: &str, content_type: &str, body: &str) -> bool {
        let rule = &self.rule.matching;
        let asked = |methods: &String| {
            let mut methods = methods.split(',');
            methods.any(|one| one.trim().eq_ignore_ascii_case(method))
        };
        let below = |prefix: &String| path.starts_with(prefix.as_str());
        let contains = |text: &String| query.contains(text.as_str());
        if !rule.method.as_ref().is_none_or(asked)
            || !rule.path_prefix.as_ref().is_none_or(below)
            || !rule.query_contains.as_ref().is_none_or(contains)
            || !rule.body_contains.as_ref().is_none_or(|text| body.contains(text.as_str()))
            || !rule.content_type.as_ref().is_none_or(|kind| content_type.starts_with(kind.as_str()))
        {
            return false;
        }
        let list = path.matches('/').count() == 1;
        match self.rule.fault.page() {
            Some(_) if method != "GET" => return false,
            Some(PageFault::Stale(_)) | None => {}
            Some(_) if !list => return false,
            Some(_) => {}
        }
        self.matched += 1;
        let limit = rule.count.or(rule.nth.map(|_| 1));
        if rule.nth.is_some_and(|nth| self.matched < nth) || limit.is_some_and(|limit| self.fired >= limit) {
            return false;
        }
        if let Some(probability) = rule.probability {
            let request = format!("{method} {path}?{query}");
            let time = self.came.entry(request.clone()).or_default();
            *time += 1;
            if chance(seed, self.number, &request, *time) >= probability {
                return false;
            }
        }
        self.fired += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn armed(seed: u64, rules: Value) -> Faults {
        let mut faults = Faults::new(seed);
        faults.arm(serde_json::from_value(rules).unwrap());
        faults
    }

    fn fired(faults: &mut Faults, requests: &[String]) -> Vec<bool> {
        let judge = |path: &String| faults.judge("GET", path, "", "", "").fault.is_some();
        requests.iter().map(judge).collect()
    }

    #[test]
    fn the_same_seed_meets_the_same_faults_in_any_order() {
        let rules = json!([{"match": {"probability": 0.3}, "fault": {"kind": "reset_before"}}]);
        let requests: Vec<String> = (0..500).map(|n| format!("/Users/{n}")).collect();
        let first = fired(&mut armed(7, rules.clone()), &requests);
        let backwards: Vec<String> = requests.iter().rev().cloned().collect();
        let mut second = fired(&mut armed(7, rules.clone()), &backwards);
        second.reverse();
        assert_eq!(first, second);
        assert_ne!(first, fired(&mut armed(8, rules), &requests));
        let share = first.iter().filter(|hit| **hit).count();
        assert!((100..200).contains(&share), "{share}");
    }

    #[test]
    fn counting_and_matching() {
        let mut faults = armed(
            1,
            json!([
                {"match": {"method": "POST,PUT", "path_prefix": "/Users", "nth": 2},
                 "fault": {"kind": "status", "code": 429, "retry_after": 1}},
                {"match": {"count": 1}, "fault": {"kind": "latency", "ms": 5}},
            ]),
        );
        assert!(faults.judge("GET", "/Users", "", "", "").fault.is_none());
        assert!(faults.judge("POST", "/Groups", "", "", "").fault.is_none());
        assert!(faults.judge("POST", "/Users", "", "", "").fault.is_none());
        assert!(faults.judge("PUT", "/Users/1", "", "", "").fault.is_some());
        assert!(faults.judge("POST", "/Users", "", "", "").fault.is_none());
        assert_eq!(faults.log, BTreeMap::from([("latency".into(), 1), ("status".into(), 1)]));
    }
}
