//! The server as its own process: for what only a process can suffer. Killed, stopped, restarted.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use super::{Api, Database};

pub struct Process {
    child: Child,
    pub address: SocketAddr,
    /// Everything it has logged so far.
    pub log: Arc<Mutex<String>>,
    /// What it has printed for whoever started it.
    pub printed: Arc<Mutex<String>>,
}

/// Everything that comes out of there, as it comes.
fn gathered(from: impl std::io::Read + Send + 'static) -> Arc<Mutex<String>> {
    let all = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&all);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            into.lock().unwrap().push_str(&(line + "\n"));
        }
    });
    all
}

/// The binary with a database and a working folder of the test's own, and none of the environment's settings.
pub fn command(database: &Database) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offshoot"));
    for (name, _) in std::env::vars() {
        if name.starts_with("OFFSHOOT_") {
            command.env_remove(name);
        }
    }
    command.env("OFFSHOOT_DATABASE_URL", &database.url).current_dir(database.folder.path());
    command
}

/// Runs a command of the binary to its end.
pub fn run(database: &Database, arguments: &[&str]) -> Output {
    command(database).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// The same with settings and something on standard input.
pub fn run_with(database: &Database, settings: &[(&str, &str)], arguments: &[&str], stdin: &str) -> Output {
    let mut command = command(database);
    command.envs(settings.iter().copied()).args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// What a command printed, of one that succeeded.
#[track_caller]
pub fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap().trim_end().to_owned()
}

/// An account, the program `acme` and a full key, by the command line; the key.
pub fn set_up(database: &Database) -> String {
    let created = run_with(
        database,
        &[],
        &["user", "create", "--email", "m@example.com", "--name", "Mara", "--password-stdin"],
        "correct horse battery\n",
    );
    printed(&created);
    printed(&run(database, &["program", "create", "--slug", "acme", "--name", "Acme", "--owner", "m@example.com"]));
    printed(&run(database, &["program", "set", "--program", "acme", "--landing-url", "https://shop.example/start"]));
    printed(&run(database, &["key", "create", "--program", "acme", "--name", "test"]))
}

impl Process {
    /// Serves on a free port, without rate limits; back when it listens.
    pub fn start(database: &Database) -> Self {
        Self::with(database, &[], &[])
    }

    pub fn with(database: &Database, settings: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut command = command(database);
        command.env("OFFSHOOT_LISTEN", "127.0.0.1:0").env("OFFSHOOT_RATE_LIMIT", "0");
        command.envs(settings.iter().copied()).args(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (log, printed) = (gathered(child.stderr.take().unwrap()), gathered(child.stdout.take().unwrap()));
        let address = wait_for_address(&mut child, &log);
        Self { child, address, log, printed }
    }

    pub fn api(&self, key: &str) -> Api {
        Api::new(self.address, key)
    }

    /// Of the address that the log of a fresh installation tells, below the base.
    pub fn setup_token(&self) -> String {
        let log = self.log.lock().unwrap().clone();
        let (_, rest) = log.split_once("/setup?token=").unwrap_or_else(|| panic!("no set-up address in {log}"));
        rest.split(['"', ' ', '\n']).next().unwrap().to_owned()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// As a power cut would, as far as a process can tell.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the process to end by itself; its exit code and how long that took.
    pub fn ended(mut self, within: Duration) -> (Option<i32>, Duration) {
        let since = Instant::now();
        while since.elapsed() < within {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code(), since.elapsed());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("still running after {within:?}");
    }
}

fn wait_for_address(child: &mut Child, log: &Mutex<String>) -> SocketAddr {
    let since = Instant::now();
    while since.elapsed() < Duration::from_mins(2) {
        let text = log.lock().unwrap().clone();
        let listening = text.lines().find(|line| line.contains(r#""message":"listening""#));
        if let Some(line) = listening {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            return line["address"].as_str().unwrap().parse().unwrap();
        }
        assert!(child.try_wait().unwrap().is_none(), "the server ended: {text}");
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the server does not listen");
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
