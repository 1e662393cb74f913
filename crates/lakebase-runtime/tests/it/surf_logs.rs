//! surf's HTTP library logs tokens, so nothing is sent while somebody would write them down.

use std::cell::Cell;

use bytes::Bytes;
use futures::executor::block_on;
use lakebase_core::ErrorKind;
use lakebase_runtime::Options;
use lakebase_testkit::conformance::http_server::HttpServer;

thread_local! {
    static LISTENS: Cell<bool> = const { Cell::new(false) };
}

/// Takes everything, on threads that say so.
struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        LISTENS.get()
    }

    fn log(&self, _: &log::Record<'_>) {}

    fn flush(&self) {}
}

#[test]
fn nothing_is_sent_while_the_logger_takes_tokens() {
    log::set_logger(&Logger).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let server = HttpServer::start();
    let runtime = lakebase_runtime::auto(&Options::new().surf(true)).unwrap();
    let send = || {
        let request = http::Request::get(format!("http://{}/echo", server.host()));
        block_on(runtime.http.send(request.body(Bytes::new()).unwrap()))
    };
    LISTENS.set(true);
    let error = send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("async_h1::client"), "{error}");
    assert_eq!(server.requests(), 0);
    LISTENS.set(false);
    send().unwrap();
    assert_eq!(server.requests(), 1);
}
