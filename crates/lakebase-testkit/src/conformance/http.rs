//! The contract of [`HttpClient`], except TLS.

use std::net::TcpListener;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use http::{Request, Response};
use lakebase_core::{Error, ErrorKind, HttpClient, Timer};

use super::http_server::HttpServer;
use super::within;

const SECRET: &str = "canary-in-a-header";

/// What a client may lack without breaking the contract.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// It opens a connection for each request.
    pub one_shot: bool,
    /// A reply without a length is an error.
    pub needs_length: bool,
}

struct Check<'a> {
    client: &'a dyn HttpClient,
    timer: &'a dyn Timer,
    server: HttpServer,
}

/// Every promise of the trait that plain HTTP can show.
pub async fn http(client: &dyn HttpClient, timer: &dyn Timer, limits: Limits) {
    let check = Check { client, timer, server: HttpServer::start() };
    check.sends_what_it_is_given().await;
    check.reads_every_kind_of_body(limits).await;
    check.passes_every_status_on().await;
    if !limits.one_shot {
        check.reuses_connections().await;
    }
    check.limits_the_size().await;
    check.reports_broken_replies_without_retrying().await;
    check.survives_a_connection_closed_while_idle().await;
    check.works_side_by_side().await;
    check.abandons_when_dropped().await;
    check.names_the_host_only().await;
}

fn request(url: &str, body: &'static str) -> Request<Bytes> {
    Request::post(url)
        .header("authorization", format!("Bearer {SECRET}"))
        .header("x-custom", "1")
        .body(Bytes::from_static(body.as_bytes()))
        .expect("a request")
}

fn text(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).expect("a text")
}

impl Check<'_> {
    async fn try_send(&self, path: &str) -> Result<Response<Bytes>, Error> {
        let url = format!("http://{}{path}", self.server.host());
        within(self.timer, path, self.client.send(request(&url, "the body"))).await
    }

    async fn send(&self, path: &str) -> Response<Bytes> {
        self.try_send(path).await.unwrap_or_else(|error| panic!("{path}: {error:?}"))
    }

    async fn sends_what_it_is_given(&self) {
        let response = self.send("/echo?a=b%20c").await;
        assert_eq!(response.status(), 200);
        let many: Vec<_> = response.headers().get_all("x-many").iter().collect();
        assert_eq!(many, ["a", "b"]);
        let echo = text(&response).to_ascii_lowercase();
        assert!(echo.starts_with("post /echo?a=b%20c http/1.1\r\n"), "{echo}");
        assert!(echo.ends_with("\r\n\r\nthe body"), "{echo}");
        let host = format!("\r\nhost: {}\r\n", self.server.host());
        assert_eq!(echo.matches(&host).count(), 1, "{echo}");
        assert!(echo.contains(&format!("\r\nauthorization: bearer {SECRET}\r\n")), "{echo}");
        assert!(echo.contains("\r\nx-custom: 1\r\n"), "{echo}");
        for unwanted in ["user-agent", "content-type", "cookie"] {
            assert!(!echo.contains(&format!("\r\n{unwanted}:")), "nobody asked for it: {echo}");
        }
        assert!(!response.headers().contains_key("date"), "the server did not send one");

        let url = format!("http://{}/echo", self.server.host());
        let get = Request::get(url).body(Bytes::new()).expect("a request");
        let response = within(self.timer, "GET", self.client.send(get)).await.expect("a reply");
        assert!(text(&response).starts_with("GET /echo HTTP/1.1\r\n"), "{response:?}");
    }

    async fn reads_every_kind_of_body(&self, limits: Limits) {
        assert_eq!(text(&self.send("/chunked").await), "one two three");
        if limits.needs_length {
            let error = self.try_send("/until-close").await.expect_err("no length");
            assert!(error.to_string().contains("length"), "{error}");
        } else {
            assert_eq!(text(&self.send("/until-close").await), "until the end");
        }
    }

    async fn passes_every_status_on(&self) {
        for status in [200, 201, 400, 401, 403, 404, 429, 500, 503] {
            let response = self.send(&format!("/status/{status}")).await;
            assert_eq!(response.status(), status);
            assert_eq!(text(&response), "status");
        }
        let before = self.server.requests();
        let response = self.send("/redirect").await;
        assert_eq!(response.status(), 302);
        assert_eq!(response.headers()["location"], "/echo");
        assert_eq!(self.server.requests() - before, 1, "the redirect was followed");
    }

    async fn reuses_connections(&self) {
        let before = self.server.connections();
        for _ in 0..8 {
            self.send("/echo").await;
        }
        let opened = self.server.connections() - before;
        assert!(opened <= 3, "8 requests in a row opened {opened} connections");
    }

    async fn limits_the_size(&self) {
        let limit = 4 * 1024 * 1024;
        assert_eq!(self.send(&format!("/size/{limit}")).await.body().len(), limit);
        let error = self.try_send(&format!("/size/{}", limit + 1)).await.expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(error.to_string().contains("4 MiB"), "{error}");
    }

    async fn reports_broken_replies_without_retrying(&self) {
        for path in ["/cut", "/no-reply", "/garbage"] {
            let before = self.server.requests();
            let error = self.try_send(path).await.expect_err(path);
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{path}: {error:?}");
            assert!(error.to_string().contains(&self.server.host()), "{path}: {error}");
            assert_eq!(self.server.requests() - before, 1, "{path} was sent again");
        }
    }

    async fn survives_a_connection_closed_while_idle(&self) {
        for _ in 0..3 {
            let closed = self.server.closed();
            assert_eq!(text(&self.send("/last").await), "last");
            within(self.timer, "the close", closed).await.expect("the connection was closed");
        }
        self.send("/echo").await;
    }

    async fn works_side_by_side(&self) {
        let all = futures::future::join_all((0..16).map(|_| self.send("/echo"))).await;
        assert!(all.iter().all(|response| response.status() == 200));
    }

    async fn abandons_when_dropped(&self) {
        let left = self.server.left();
        let before = self.server.requests();
        let url = format!("http://{}/hang", self.server.host());
        let mut pending = self.client.send(request(&url, ""));
        within(self.timer, "the request", async {
            while self.server.requests() == before {
                assert!((&mut pending).now_or_never().is_none(), "a reply to /hang");
                self.timer.sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
        drop(pending);
        within(self.timer, "the end of a dropped request", left).await.expect("the client left");
        self.send("/echo").await;
    }

    async fn names_the_host_only(&self) {
        let dead = {
            let free = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
            free.local_addr().expect("its address").to_string()
        };
        let cases = [
            (format!("http://{dead}/secret-path"), dead.as_str(), ErrorKind::Unavailable),
            (
                "http://no-such-host.invalid/secret-path".to_owned(),
                "no-such-host.invalid",
                ErrorKind::Unavailable,
            ),
            ("ftp://files.example/secret-path".to_owned(), "files.example", ErrorKind::Config),
        ];
        for (url, host, kind) in cases {
            let send = self.client.send(request(&url, "secret-body"));
            let error = within(self.timer, &url, send).await.expect_err("nobody is there");
            assert_eq!(error.kind(), kind, "{error:?}");
            assert!(error.to_string().contains(host), "{error}");
            let everything = format!("{error} {error:?} {}", error.report());
            for hidden in [SECRET, "secret-path", "secret-body"] {
                assert!(!everything.contains(hidden), "{everything}");
            }
        }
    }
}
