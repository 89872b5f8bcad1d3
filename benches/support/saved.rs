//! What a benchmark measured, saved with what it was measured on: `make bench-report` writes docs/performance.md from it.

use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;
use serde_json::{Value, json};

/// Where runs are.
pub fn results() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results")
}

/// One run of a benchmark.
pub struct Run {
    bench: &'static str,
    rows: Vec<Row>,
}

struct Row {
    what: String,
    column: String,
    unit: &'static str,
    values: Vec<f64>,
}

impl Run {
    pub fn of(bench: &'static str) -> Run {
        Run { bench, rows: Vec::new() }
    }

    /// One more value of a row.
    pub fn add(&mut self, what: &str, column: &str, unit: &'static str, value: f64) {
        match self.rows.iter_mut().find(|row| row.what == what && row.column == column) {
            Some(row) => row.values.push(value),
            None => {
                let (what, column) = (what.to_owned(), column.to_owned());
                self.rows.push(Row { what, column, unit, values: vec![value] });
            }
        }
    }

    /// Prints what was measured, and saves it.
    pub fn save(self) {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| json!({"what": row.what, "column": row.column, "unit": row.unit, "values": row.values}))
            .collect();
        for row in &self.rows {
            println!("{:<52} {:<14} {}", row.what, row.column, cell(row.unit, &row.values));
        }
        let now = Timestamp::now();
        let run = json!({
            "bench": self.bench, "at": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), "binary": binary(),
            "commit": commit(), "machine": machine(), "versions": versions(), "rows": rows,
        });
        let name = format!("{}-{}.json", self.bench, now.strftime("%Y%m%d-%H%M%S"));
        std::fs::create_dir_all(results()).expect("a directory");
        let text = serde_json::to_string_pretty(&run).expect("JSON");
        std::fs::write(results().join(&name), text + "\n").expect("a saved run");
        println!("saved as benches/results/{name}; `make bench-report` writes docs/performance.md from it");
    }
}

/// Median and spread, as long as there are several values.
pub fn cell(unit: &str, values: &[f64]) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else { return String::new() };
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) };
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let spread = if sorted.len() > 1 { format!(" ({} to {})", shown(*least), shown(*most)) } else { String::new() };
    format!("{}{spread}{unit}", shown(median))
}

fn shown(value: f64) -> String {
    let digits = if value.fract() == 0.0 || value.abs() >= 100.0 { 0 } else { 2 - usize::from(value.abs() >= 10.0) };
    format!("{value:.digits$}")
}

/// Which build of the operator it is.
fn binary() -> &'static str {
    let other = std::env::var("SCIM_OPERATOR_BINARY").unwrap_or_default();
    if other.contains("musl") { "image (musl)" } else { "glibc" }
}

fn commit() -> String {
    let dirty = !told("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty();
    told("git", &["rev-parse", "--short=12", "HEAD"]) + if dirty { " with changes" } else { "" }
}

fn machine() -> String {
    let field = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse::<f64>().unwrap_or_default();
    format!("{cores} cores ({}), {:.0} GiB", field("/proc/cpuinfo", "model name"), memory / 1048576.0)
}

fn versions() -> String {
    let parts = Path::new(env!("CARGO_MANIFEST_DIR")).join(".parts/bin");
    let version = |name: &str| {
        let text = told(&parts.join(name).to_string_lossy(), &["--version"]);
        text.lines().next().unwrap_or_default().to_owned()
    };
    [version("kube-apiserver"), version("etcd"), told("rustc", &["--version"])].join(", ")
}

fn told(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
