//! A PostgreSQL server of a test's own, to be stopped and frozen at will, and a wire to it that can be cut.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp},
};

pub struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    pub port: u16,
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Where the server's programs are: in the newest of Debian's folders, or on the path.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok().into_iter().flatten();
    let mut found: Vec<PathBuf> = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    found.extend(std::env::split_paths(&std::env::var_os("PATH")?));
    found.into_iter().rev().find(|folder| folder.join("initdb").exists())
}

impl Cluster {
    /// Starts one where the suite runs on PostgreSQL.
    pub fn start() -> Option<Self> {
        super::database::postgres()?;
        let folder = tempfile::tempdir().unwrap();
        let cluster = Self { folder, programs: programs().unwrap(), port: free_port() };
        if Self::is_root() {
            assert!(Command::new("chown").arg("postgres").arg(cluster.folder.path()).status().unwrap().success());
        }
        cluster.run("initdb", &["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]);
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = ''\nfsync = off\n",
            cluster.port
        );
        std::fs::write(cluster.data().join("postgresql.auto.conf"), settings).unwrap();
        cluster.resume();
        Some(cluster)
    }

    /// Its own database, behind whatever port leads there.
    pub fn url(port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/postgres")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// PostgreSQL refuses to run as root.
    fn is_root() -> bool {
        std::fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0)
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program);
        let mut command = if Self::is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        let log = self.folder.path().join("output");
        let output = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        command.arg("-D").arg(self.data()).args(arguments).current_dir(self.folder.path()).env("LC_ALL", "C.UTF-8");
        // Not a pipe: the server would keep it open.
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        assert!(command.status().unwrap().success(), "{}", std::fs::read_to_string(log).unwrap_or_default());
    }

    pub fn stop(&self) {
        self.run("pg_ctl", &["-m", "immediate", "-w", "stop"]);
    }

    pub fn resume(&self) {
        let log = self.folder.path().join("log");
        self.run("pg_ctl", &["-l", log.to_str().unwrap(), "-w", "-t", "60", "start"]);
    }

    /// All of the server's processes stand still, their sockets open.
    pub fn freeze(&self) -> Frozen {
        let text = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let postmaster: u32 = text.lines().next().unwrap().parse().unwrap();
        let mut frozen = Frozen(vec![postmaster]);
        signal("STOP", postmaster);
        // Nobody makes new ones any more.
        let entries = std::fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
        for child in entries.filter_map(|path| child_of(&path, postmaster)) {
            signal("STOP", child);
            frozen.0.push(child);
        }
        frozen
    }
}

fn child_of(process: &Path, parent: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(process.join("stat")).ok()?;
    // The name in brackets may hold anything; the parent is the second field after it.
    let (_, rest) = stat.rsplit_once(')')?;
    let is_child = rest.split_whitespace().nth(1)?.parse() == Ok(parent);
    process.file_name()?.to_str()?.parse().ok().filter(|_| is_child)
}

fn signal(name: &str, process: u32) {
    let _ = Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).status();
}

pub struct Frozen(Vec<u32>);

impl Drop for Frozen {
    fn drop(&mut self) {
        self.0.iter().for_each(|process| signal("CONT", *process));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.data().join("postmaster.pid").exists() {
            self.stop();
        }
    }
}

/// Forwards to the server, until it is cut: then nothing passes and nobody is told, as when a machine or a
/// network is gone. Mended, it forwards new connections; the old ones stay dead.
#[derive(Clone)]
pub struct Wire {
    pub port: u16,
    is_cut: Arc<AtomicBool>,
    /// How often it was cut: a connection of an earlier life stays dead.
    life: Arc<AtomicU64>,
}

impl Wire {
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let wire = Self { port, is_cut: Arc::default(), life: Arc::default() };
        let forwarding = wire.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(forwarding.clone().forward(near, server));
            }
        });
        wire
    }

    pub fn cut(&self) {
        self.life.fetch_add(1, Ordering::SeqCst);
        self.is_cut.store(true, Ordering::SeqCst);
    }

    pub fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }

    async fn forward(self, near: TcpStream, server: u16) {
        let life = self.life.load(Ordering::SeqCst);
        if self.is_cut.load(Ordering::SeqCst) {
            // Held open and never answered.
            return std::future::pending::<()>().await;
        }
        let Ok(far) = TcpStream::connect(("127.0.0.1", server)).await else { return };
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        tokio::join!(self.pass(near_in, far_out, life), self.pass(far_in, near_out, life));
    }

    async fn pass(&self, mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, life: u64) {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            if self.life.load(Ordering::SeqCst) != life {
                return std::future::pending::<()>().await;
            }
            if to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    }
}
