//! Where mails go while no mail server is set: a folder of `.eml` files, which any mail program opens.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use tokio::task::spawn_blocking;

/// Writes the mail under its name; the same mail again takes the same place. Only the owner reads it: it may hold
/// a link that lets somebody in.
///
/// # Errors
/// The file system's.
pub async fn put(folder: PathBuf, name: String, bytes: Vec<u8>) -> io::Result<PathBuf> {
    spawn_blocking(move || write(&folder, &name, &bytes)).await.map_err(io::Error::other)?
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let file = folder.join(name);
    // Written whole under another name first: who looks into the folder never sees half a mail.
    let draft = folder.join(format!(".{name}.{:016x}", rand::random::<u64>()));
    let written = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut open| open.write_all(bytes).and_then(|()| open.sync_all()))
        .and_then(|()| fs::rename(&draft, &file));
    if let Err(error) = written {
        let _ = fs::remove_file(&draft);
        return Err(error);
    }
    Ok(file)
}
