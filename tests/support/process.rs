//! Child processes that can't outlive the test binary, and a scratch directory
//! that goes with it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A command whose process the kernel kills when the test binary is gone, also
/// when that was killed itself.
pub fn guarded(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]);
    command.arg(program.as_ref());
    command
}

type Order = (Command, Sender<std::io::Result<Child>>);

/// The kernel counts the *thread* that started a child as its parent, and a
/// test's thread ends with the test. So one thread that never ends starts all.
static NURSERY: LazyLock<Sender<Order>> = LazyLock::new(|| {
    let (orders, inbox) = mpsc::channel::<Order>();
    thread::spawn(move || {
        for (mut command, reply) in inbox {
            // Whoever ordered may be gone; then nobody wants the child.
            let _ = reply.send(command.spawn());
        }
    });
    orders
});

fn start(command: Command) -> Child {
    let (reply, answer) = mpsc::channel();
    let program = format!("{}", command.get_args().nth(3).unwrap_or(command.get_program()).display());
    NURSERY.send((command, reply)).expect("the nursery thread");
    answer
        .recv()
        .expect("an answer from the nursery thread")
        .unwrap_or_else(|error| panic!("can't start {program} with setpriv (util-linux): {error}"))
}

/// One child process. Its output goes to a log in the scratch directory.
pub struct Process {
    name: String,
    log: PathBuf,
    child: Mutex<Child>,
}

impl Process {
    pub fn spawn(name: &str, mut command: Command) -> Process {
        let log = log_of(name);
        let out = File::options().create(true).append(true).open(&log).expect("a log file");
        command.stderr(out.try_clone().expect("the log file again"));
        // Kept open: some parts end when their stdin does.
        command.stdout(out).stdin(Stdio::piped());
        Process { name: name.to_owned(), log, child: Mutex::new(start(command)) }
    }

    /// Starts a program whose first line on stdout is JSON that says where it
    /// listens.
    pub fn announcing(name: &str, mut command: Command) -> (Process, Value) {
        let log = log_of(name);
        let mut out = File::options().create(true).append(true).open(&log).expect("a log file");
        command.stderr(out.try_clone().expect("the log file again"));
        command.stdout(Stdio::piped()).stdin(Stdio::piped());
        let mut child = start(command);
        let mut lines = BufReader::new(child.stdout.take().expect("its stdout"));
        let (first, announced) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let _ = lines.read_line(&mut line);
            let _ = out.write_all(line.as_bytes());
            let _ = first.send(line);
            let _ = std::io::copy(&mut lines, &mut out);
        });
        let process = Process { name: name.to_owned(), log, child: Mutex::new(child) };
        let line = announced.recv_timeout(Duration::from_secs(60)).unwrap_or_default();
        let json = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("{name} didn't say where it listens, but {line:?}\n{}", process.tail(40)));
        (process, json)
    }

    pub fn id(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    /// CPU seconds that it has used so far.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).expect("a live process");
        // The name, in parentheses, may hold spaces. What follows begins with field 3; utime and stime are 14 and 15, in
        // hundredths of a second.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }

    /// Its memory now, in MiB.
    pub fn memory_mib(&self) -> f64 {
        self.in_mib("VmRSS:")
    }

    /// The most memory that it had so far, in MiB.
    pub fn peak_mib(&self) -> f64 {
        self.in_mib("VmHWM:")
    }

    fn in_mib(&self, field: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).expect("a live process");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("a field of its status");
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().unwrap().try_wait().expect("its state")
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill9(&self) {
        let mut child = self.child.lock().unwrap();
        // An error says that it has already ended.
        let _ = child.kill();
        let _ = child.wait();
    }

    /// SIGTERM, and how it ended. Fails the test when it doesn't.
    pub fn terminate(&self, patience: Duration) -> ExitStatus {
        self.signal("TERM");
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "{} didn't end within {patience:?} of SIGTERM\n{}",
                self.name,
                self.tail(40)
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends a signal by name: `TERM`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "can't send {name} to {}", self.name);
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The end of its log, for a message.
    pub fn tail(&self, lines: usize) -> String {
        let log = self.log();
        let all: Vec<&str> = log.lines().collect();
        let from = all.len().saturating_sub(lines);
        format!("--- end of {}\n{}\n---", self.log.display(), all[from..].join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.tail(60));
        }
        self.kill9();
    }
}

fn log_of(name: &str) -> PathBuf {
    scratch().join("logs").join(format!("{name}.log"))
}

/// A directory of this test binary's own. It is removed when the process has
/// ended, however it ended; when a test failed, its logs stay.
pub fn scratch() -> &'static Path {
    static SCRATCH: LazyLock<PathBuf> = LazyLock::new(|| {
        let exe = std::env::current_exe().expect("this binary's name");
        let name = exe.file_stem().expect("a file name").to_string_lossy().into_owned();
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(dir.join("logs")).expect("a scratch directory");
        fs::create_dir_all(dir.join("data")).expect("a scratch directory");
        clean_up_after_us(&dir);
        let kept = dir.clone();
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            usual(info);
            if File::create(kept.join("keep")).is_ok() {
                eprintln!("logs of all parts: {}", kept.join("logs").display());
            }
        }));
        dir
    });
    &SCRATCH
}

/// Statics aren't dropped, and nothing is when the process is killed. So a shell
/// waits for the pipe to close that only we hold. Killed parts may write for
/// another moment, hence the repetition.
#[allow(clippy::zombie_processes)] // it outlives us: that is what it is for
fn clean_up_after_us(dir: &Path) {
    const JANITOR: &str = r#"
        trap '' INT TERM HUP
        read -r _
        gone="$1"; [ -e "$1/keep" ] && gone="$1/data"
        n=0; until rm -rf "$gone" 2>/dev/null || [ $n -ge 1000 ]; do n=$((n + 1)); done"#;
    let mut janitor = Command::new("sh")
        .args(["-c", JANITOR, "janitor"])
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh");
    // Held until the process ends.
    std::mem::forget(janitor.stdin.take());
}

/// Whether no server of this test binary has had the port before. A server is known by its URL: objects that an earlier
/// test left would be claimed at the one that came upon the same port.
pub fn is_first_at(port: u16) -> bool {
    static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    TAKEN.lock().expect("nobody panics with it").insert(port)
}

/// A port that was free a moment ago. Whoever uses it tries again with another
/// when somebody was faster.
pub fn free_port() -> u16 {
    let probe = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    probe.local_addr().expect("its address").port()
}
