//! Slow and silent clients: how long the listening end puts up with them.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::support::Site;

pub async fn socket(address: std::net::SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Everything that arrives until the other end closes, and when that was.
pub async fn until_closed(mut socket: TcpStream, within: Duration) -> (String, Duration) {
    let since = Instant::now();
    let mut read = Vec::new();
    // A reset is a close too.
    let closed = timeout(within, socket.read_to_end(&mut read)).await;
    assert!(closed.is_ok(), "still open after {within:?}");
    (String::from_utf8_lossy(&read).into_owned(), since.elapsed())
}

fn between(low: u64, high: u64, took: Duration) {
    assert!((Duration::from_secs(low)..Duration::from_secs(high)).contains(&took), "closed after {took:?}");
}

/// All at the same time, because each of them is mostly waiting.
#[tokio::test]
async fn clients_that_do_not_get_on_with_it_are_cut_off_and_those_that_rest_are_not() {
    let site = Site::start().await;
    tokio::join!(
        a_head_that_dribbles_is_cut_off_after_ten_seconds(&site),
        a_connection_that_says_nothing_is_closed_after_ten_seconds(&site),
        a_head_is_due_in_ten_seconds_on_a_connection_that_was_used_before_too(&site),
        a_body_that_does_not_come_is_answered_after_twenty_seconds(&site),
        a_connection_may_rest_for_a_while_but_not_for_ever(&site),
        an_answer_that_nobody_reads_does_not_keep_its_connection(&site),
    );
}

async fn a_head_that_dribbles_is_cut_off_after_ten_seconds(site: &Site) {
    let (read, write) = socket(site.address).await.into_split();
    let dribbling = tokio::spawn(async move {
        let mut write = write;
        for byte in "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ".bytes().chain(std::iter::repeat(b'a')) {
            if write.write_all(&[byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_millis(200)).await;
        }
        write
    });
    let since = Instant::now();
    let mut read = read;
    let mut told = Vec::new();
    let _ = timeout(Duration::from_secs(18), read.read_to_end(&mut told)).await.expect("cut off");
    between(8, 18, since.elapsed());
    dribbling.abort();
}

async fn a_connection_that_says_nothing_is_closed_after_ten_seconds(site: &Site) {
    let (said, took) = until_closed(socket(site.address).await, Duration::from_secs(18)).await;
    assert_eq!(said, "");
    between(8, 18, took);
}

async fn a_head_is_due_in_ten_seconds_on_a_connection_that_was_used_before_too(site: &Site) {
    let mut socket = socket(site.address).await;
    socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 15];
    socket.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    sleep(Duration::from_secs(2)).await;
    socket.write_all(b"GET /hea").await.unwrap();
    let (_, took) = until_closed(socket, Duration::from_secs(20)).await;
    between(8, 18, took);
}

async fn a_body_that_does_not_come_is_answered_after_twenty_seconds(site: &Site) {
    let mut socket = socket(site.address).await;
    let head = format!(
        "POST /v1/affiliates HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"email\":",
        site.api.key
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let (said, took) = until_closed(socket, Duration::from_secs(30)).await;
    between(18, 29, took);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    assert!(said.is_empty() || said.contains(r#""code":"invalid_request""#), "{said}");
}

async fn a_connection_may_rest_for_a_while_but_not_for_ever(site: &Site) {
    let mut socket = socket(site.address).await;
    let mut buffer = [0; 4_096];
    for rest in [12, 0] {
        socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let length = socket.read(&mut buffer).await.unwrap();
        assert!(buffer[..length].starts_with(b"HTTP/1.1 200 OK"), "still in use after a rest");
        sleep(Duration::from_secs(rest)).await;
    }
    let (said, took) = until_closed(socket, Duration::from_secs(75)).await;
    assert_eq!(said, "");
    between(55, 75, took);
}

async fn an_answer_that_nobody_reads_does_not_keep_its_connection(site: &Site) {
    let mut socket = socket(site.address).await;
    // Far more than the kernel buffers on both sides hold.
    let request = "GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2_000);
    let _ = timeout(Duration::from_secs(5), socket.write_all(request.as_bytes())).await;
    sleep(Duration::from_secs(66)).await;
    // What was buffered can still be read, then there is no more.
    let mut read = 0;
    let mut buffer = vec![0; 1 << 20];
    while let Ok(Ok(length @ 1..)) = timeout(Duration::from_secs(10), socket.read(&mut buffer)).await {
        read += length;
    }
    let document = site.api.get("/openapi.json").await.text.len();
    assert!(read < 2_000 * document, "the connection was kept and served to its end");
}
