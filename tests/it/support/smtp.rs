//! A real mail server, aiosmtpd from the system's packages, on a port of its own.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use mail_parser::{Message, MessageParser};
use tempfile::TempDir;

pub struct MailServer {
    child: Child,
    folder: TempDir,
    pub port: u16,
}

impl MailServer {
    pub fn start() -> Self {
        Self::with(0, tempfile::tempdir().unwrap(), &[])
    }

    /// With a certificate that nobody vouches for.
    pub fn with_tls() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        Self::with(0, folder, &[certificate, key])
    }

    fn with(port: u16, folder: TempDir, certificate: &[PathBuf]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/smtp_server.py");
        // The system's own Python: the package is the system's.
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script).arg(folder.path()).arg(port.to_string()).args(certificate);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("python3-aiosmtpd is installed (bin/test does that)");
        Self { child, folder, port }
    }

    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// What it answers from now on: see `smtp_server.py`.
    pub fn order(&self, orders: &str) {
        std::fs::write(self.folder.path().join("orders"), orders).unwrap();
    }

    /// Goes away; the folder and the port to come back with.
    pub fn stop(mut self) -> impl FnOnce() -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        let port = self.port;
        move || Self::with(port, folder, &[])
    }

    /// The mails it has, in the order in which they came.
    pub fn taken(&self) -> Vec<Taken> {
        let file = |n: usize| std::fs::read(self.folder.path().join(format!("{n}.eml"))).ok();
        (0..).map_while(file).map(Taken).collect()
    }

    /// The same, once there are so many.
    pub async fn wait_for(&self, count: usize) -> Vec<Taken> {
        let since = Instant::now();
        loop {
            let taken = self.taken();
            if taken.len() >= count {
                return taken;
            }
            assert!(since.elapsed() < Duration::from_secs(30), "{} of {count} mails came", taken.len());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A mail as it came.
pub struct Taken(pub Vec<u8>);

impl Taken {
    /// Read by a parser that is not ours.
    pub fn parsed(&self) -> Message<'_> {
        MessageParser::default().parse(&self.0).unwrap()
    }

    pub fn header(&self, name: &str) -> String {
        self.parsed().header_raw(name).unwrap_or_default().trim().to_owned()
    }

    pub fn text(&self) -> String {
        self.parsed().body_text(0).unwrap().into_owned()
    }

    pub fn html(&self) -> String {
        self.parsed().body_html(0).unwrap().into_owned()
    }
}
