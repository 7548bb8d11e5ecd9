//! The listening end: every connection has to get on with it, and stopping takes a bounded time.
//!
//! `axum::serve` waits for ever on a client that dribbles, so the accept loop is ours: hyper's HTTP/1
//! connection, watched for what it is doing and since when.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::body::Body;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::TokioIo,
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use super::{client::Peer, trees::Trees};

/// A request's head arrives within this.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// A connection on which nothing moves is closed after this.
const IDLE_TIME: Duration = Duration::from_mins(1);
/// After the signal to stop, what is in flight has this long.
const DRAIN_TIME: Duration = Duration::from_secs(7);

/// Serves until `stop` is done, then answers what is in flight and returns.
pub async fn serve(listener: TcpListener, trees: Trees, stop: impl Future<Output = ()>) {
    let (trees, graceful) = (Arc::new(trees), GracefulShutdown::new());
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    tokio::spawn(connection(stream, peer, Arc::clone(&trees), graceful.watcher()));
                }
                Err(error) => {
                    // Out of file descriptors, say: there is nothing to do but wait for some to be closed.
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(Duration::from_millis(100)).await;
                }
            },
            () = &mut stop => break,
        }
    }
    drop(listener);
    if timeout(DRAIN_TIME, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were cut off that did not finish in time");
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, trees: Arc<Trees>, watcher: Watcher) {
    // Answers are small and whole: waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    let activity = Arc::new(Activity::new());
    let service = {
        let activity = Arc::clone(&activity);
        hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
            activity.set(Doing::Answering);
            request.extensions_mut().insert(Peer(peer));
            let (trees, activity) = (Arc::clone(&trees), Arc::clone(&activity));
            async move {
                let response = trees.answer(request.map(Body::new)).await;
                activity.set(Doing::Resting);
                Ok::<_, Infallible>(response)
            }
        })
    };
    let io = TokioIo::new(Watched { stream, activity: Arc::clone(&activity) });
    let serving = http1::Builder::new().serve_connection(io, service);
    tokio::select! {
        // What goes wrong on a connection is the client's business.
        _ = watcher.watch(serving) => {}
        () = activity.overdue() => {}
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// Waiting for a request, or sending an answer: each byte written starts the time anew.
    Resting = 0,
    ReadingHead = 1,
    /// The handler's own limits hold.
    Answering = 2,
}

/// What a connection is doing and since when, in one word: milliseconds since it began, and the state in
/// the two lowest bits.
struct Activity {
    began: Instant,
    word: AtomicU64,
}

impl Activity {
    fn new() -> Self {
        Self { began: Instant::now(), word: AtomicU64::new(Doing::ReadingHead as u64) }
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX >> 2)
    }

    fn set(&self, doing: Doing) {
        self.word.store(self.elapsed_ms() << 2 | doing as u64, Ordering::Relaxed);
    }

    fn get(&self) -> (Doing, Duration) {
        let word = self.word.load(Ordering::Relaxed);
        let doing = match word & 3 {
            0 => Doing::Resting,
            1 => Doing::ReadingHead,
            _ => Doing::Answering,
        };
        (doing, Duration::from_millis(word >> 2))
    }

    /// Done when the connection has been at one thing for too long.
    async fn overdue(&self) {
        loop {
            let (doing, since) = self.get();
            let deadline = match doing {
                Doing::Resting => since + IDLE_TIME,
                Doing::ReadingHead => since + HEAD_TIME,
                Doing::Answering => self.began.elapsed() + HEAD_TIME,
            };
            let left = deadline.saturating_sub(self.began.elapsed());
            if left.is_zero() {
                return;
            }
            // A head that begins while the connection rests is due sooner than the rest is over.
            sleep(left.min(HEAD_TIME / 4)).await;
        }
    }
}

struct Watched {
    stream: TcpStream,
    activity: Arc<Activity>,
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before && self.activity.get().0 == Doing::Resting {
            self.activity.set(Doing::ReadingHead);
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        if matches!(polled, Poll::Ready(Ok(_))) && self.activity.get().0 == Doing::Resting {
            self.activity.set(Doing::Resting);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        if matches!(polled, Poll::Ready(Ok(_))) && self.activity.get().0 == Doing::Resting {
            self.activity.set(Doing::Resting);
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
