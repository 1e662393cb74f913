//! The dialer over a scripted network, in fake time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt as _;
use lakebase_core::BoxFuture;
use lakebase_testkit::FakeTime;

use super::*;

/// What an address does: after so many milliseconds it answers or refuses; or nothing ever.
#[derive(Clone, Copy, Debug)]
enum Does {
    Answer(u64),
    Refuse(u64),
    Nothing,
}
use Does::{Answer, Nothing, Refuse};

#[derive(Debug)]
struct Scripted {
    time: FakeTime,
    script: Mutex<HashMap<SocketAddr, Does>>,
    tried: Mutex<Vec<(u64, SocketAddr)>>,
    look_ups: AtomicUsize,
    open: Arc<AtomicUsize>,
    start: Duration,
}

/// Counts the attempts that are not over.
struct Attempt(Arc<AtomicUsize>);

impl Drop for Attempt {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connect for Scripted {
    fn check(&self) -> Result<()> {
        Ok(())
    }

    async fn look_up(&self, _: String) -> io::Result<Vec<SocketAddr>> {
        self.look_ups.fetch_add(1, Ordering::Relaxed);
        let mut all: Vec<_> = self.script.lock().unwrap().keys().copied().collect();
        all.sort();
        Ok(all)
    }

    async fn tcp(&self, to: SocketAddr, _: TcpOptions) -> io::Result<Box<dyn ByteStream>> {
        let since = self.time.monotonic() - self.start;
        self.tried.lock().unwrap().push((since.as_millis().try_into().unwrap(), to));
        self.open.fetch_add(1, Ordering::Relaxed);
        let _attempt = Attempt(Arc::clone(&self.open));
        let does = self.script.lock().unwrap()[&to];
        match does {
            Answer(after) | Refuse(after) => self.time.sleep(Duration::from_millis(after)).await,
            Nothing => std::future::pending().await,
        }
        match does {
            Refuse(_) => Err(io::ErrorKind::ConnectionRefused.into()),
            _ => Ok(Box::new(futures_util::io::Cursor::new(Vec::new()))),
        }
    }

    #[cfg(unix)]
    async fn unix(&self, _: &Path) -> io::Result<Box<dyn ByteStream>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

impl Timer for Scripted {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.time.sleep(duration)
    }
}

fn at(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 5432))
}

fn dialer(script: &[(u8, Does)]) -> (FakeTime, Dialer<Scripted>) {
    let time = FakeTime::new();
    let net = Scripted {
        time: time.clone(),
        script: Mutex::new(script.iter().map(|(last, does)| (at(*last), *does)).collect()),
        tried: Mutex::default(),
        look_ups: AtomicUsize::new(0),
        open: Arc::default(),
        start: time.monotonic(),
    };
    (time.clone(), Dialer::new(net, Arc::new(time), Proxies::new()))
}

/// `db.example` at these addresses, or at those that are found.
fn target(addresses: &[IpAddr]) -> DialTarget<'_> {
    DialTarget {
        host: "db.example",
        addresses,
        port: 5432,
        tcp: TcpOptions::default(),
        load_balance_hosts: LoadBalanceHosts::Disable,
        timeout: Duration::from_secs(10),
    }
}

/// Dials `db.example`; the outcome and the milliseconds that it took.
fn dial(time: &FakeTime, dialer: &Dialer<Scripted>) -> (Result<Dialed>, u128) {
    let start = time.monotonic();
    let mut work = dialer.dial(target(&[]));
    loop {
        if let Some(outcome) = work.as_mut().now_or_never() {
            drop(work);
            assert_eq!(dialer.net.open.load(Ordering::Relaxed), 0, "an attempt goes on");
            return (outcome, (time.monotonic() - start).as_millis());
        }
        time.advance(time.next().expect("something to wait for"));
    }
}

fn tried(dialer: &Dialer<Scripted>) -> Vec<(u64, u8)> {
    let tried = std::mem::take(&mut *dialer.net.tried.lock().unwrap());
    let last = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => ip.octets()[3],
        IpAddr::V6(_) => 0,
    };
    tried.into_iter().map(|(since, address)| (since, last(address))).collect()
}

#[test]
fn a_dead_address_costs_a_quarter_of_a_second_once() {
    let (time, dialer) = dialer(&[(1, Nothing), (2, Answer(20))]);
    let (outcome, took) = dial(&time, &dialer);
    assert_eq!((outcome.unwrap().peer, took), (Some(at(2)), 270));
    assert_eq!(tried(&dialer), [(0, 1), (250, 2)]);
    for _ in 0..3 {
        let (outcome, took) = dial(&time, &dialer);
        assert_eq!((outcome.unwrap().peer, took), (Some(at(2)), 20), "who answered comes first");
    }
    assert_eq!(dialer.net.look_ups.load(Ordering::Relaxed), 1, "the answer is used again");
}

#[test]
fn a_failure_starts_the_next_attempt_at_once() {
    let (time, dialer) = dialer(&[(1, Refuse(5)), (2, Refuse(5)), (3, Answer(5))]);
    let (outcome, took) = dial(&time, &dialer);
    assert_eq!((outcome.unwrap().peer, took), (Some(at(3)), 15));
    assert_eq!(tried(&dialer), [(0, 1), (5, 2), (10, 3)]);
}

#[test]
fn the_first_that_stands_wins_also_if_it_was_started_first() {
    let (time, dialer) = dialer(&[(1, Answer(400)), (2, Answer(300)), (3, Nothing)]);
    let (outcome, took) = dial(&time, &dialer);
    assert_eq!((outcome.unwrap().peer, took), (Some(at(1)), 400));
    assert_eq!(tried(&dialer), [(0, 1), (250, 2)]);
}

#[test]
fn when_all_are_dead_each_is_named_with_what_it_did() {
    let (time, dialer) = dialer(&[(1, Nothing), (2, Refuse(1)), (3, Nothing)]);
    let (outcome, took) = dial(&time, &dialer);
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), took), (ErrorKind::Unavailable, 10_000));
    for part in [
        "db.example:5432",
        "10.0.0.1:5432: no answer within 10.0s",
        "10.0.0.2:5432: connection refused",
        "10.0.0.3:5432: no answer",
    ] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let (outcome, _) = dial(&time, &dialer);
    assert!(outcome.is_err());
    assert_eq!(dialer.net.look_ups.load(Ordering::Relaxed), 2, "asked again after a failure");
}

#[test]
fn an_address_that_dies_after_it_answered_is_passed_over() {
    let (time, dialer) = dialer(&[(1, Answer(1)), (2, Answer(1))]);
    assert_eq!(dial(&time, &dialer).0.unwrap().peer, Some(at(1)));
    dialer.net.script.lock().unwrap().insert(at(1), Nothing);
    tried(&dialer);
    let (outcome, took) = dial(&time, &dialer);
    assert_eq!((outcome.unwrap().peer, took), (Some(at(2)), 251));
    let (outcome, took) = dial(&time, &dialer);
    assert_eq!((outcome.unwrap().peer, took), (Some(at(2)), 1));
}

#[test]
fn the_system_is_told_to_notice_dead_peers() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    tune(&stream, TcpOptions::default()).unwrap();
    let socket = SockRef::from(&stream);
    assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
    #[cfg(target_os = "linux")]
    {
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(30));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(10));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(60)));
    }
    let other = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    tune(&other, TcpOptions { keepalive: None, ..TcpOptions::default() }).unwrap();
    assert!(!SockRef::from(&other).keepalive().unwrap());
}

#[test]
fn addresses_that_are_given_are_not_looked_up() {
    let (_, dialer) = dialer(&[(1, Answer(0))]);
    // Sleeping for no time takes one poll more.
    let given = [at(1).ip()];
    let mut work = dialer.dial(target(&given));
    let outcome = work.as_mut().now_or_never().or_else(|| work.as_mut().now_or_never());
    assert_eq!(outcome.expect("at once").unwrap().peer, Some(at(1)));
    assert_eq!(dialer.net.look_ups.load(Ordering::Relaxed), 0);
}
