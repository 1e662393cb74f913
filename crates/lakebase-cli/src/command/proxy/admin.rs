//! `--admin`: metrics and probes over HTTP, all from memory; neither database nor workspace is asked.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use lakebase::core::Clock;
use lakebase_proxy::Monitor;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::health::{Health, good_until};
use super::pools;
use super::served::Served;

/// Requests at once; more wait in the system's queue.
const REQUESTS: usize = 32;
/// From a connection's first byte to its last.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
/// The pause after an error of `accept`, which means that file descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often samples are folded into histograms where no client asks for metrics.
const UPKEEP: Duration = Duration::from_secs(5);
/// Upper bounds of histograms, in seconds.
const BUCKETS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// How much of a request's head is read.
const HEAD: usize = 16 * 1024;

/// A socket for probes, before there is a proxy to tell about.
pub(super) struct Admin {
    listener: TcpListener,
    metrics: PrometheusHandle,
}

impl Admin {
    /// Opens the socket and begins to record metrics.
    pub(super) async fn bind(address: SocketAddr, allow_remote: bool) -> anyhow::Result<Self> {
        if !address.ip().is_loopback() && !allow_remote {
            bail!(
                "--admin {address} can be reached from other machines; accepted: an address of this machine such as \
                 127.0.0.1:{}, or --admin-allow-remote",
                address.port()
            );
        }
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("--admin {address}: cannot listen"))?;
        let metrics = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)?
            .install_recorder()
            .context("cannot record metrics")?;
        describe();
        Ok(Self { listener, metrics })
    }

    pub(super) fn address(&self) -> anyhow::Result<SocketAddr> {
        self.listener.local_addr().context("the system does not tell where --admin is")
    }

    /// Answers until dropped.
    pub(super) async fn serve(self, watched: Arc<Watched>) {
        let mut tasks = JoinSet::new();
        let metrics = self.metrics.clone();
        tasks.spawn(async move {
            loop {
                sleep(UPKEEP).await;
                metrics.run_upkeep();
            }
        });
        let places = Arc::new(Semaphore::new(REQUESTS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            while tasks.try_join_next().is_some() {}
            let Ok((stream, _)) = self.listener.accept().await else {
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (watched, metrics) = (Arc::clone(&watched), self.metrics.clone());
            tasks.spawn(async move {
                let answer = service_fn(|request| {
                    let response = watched.answer(&request, &metrics);
                    async { Ok::<_, Infallible>(response) }
                });
                let mut http = http1::Builder::new();
                http.keep_alive(false).max_buf_size(HEAD);
                let connection = http.serve_connection(TokioIo::new(stream), answer);
                // A client that is slow or sends garbage ends only its own connection.
                let _ = timeout(REQUEST_LIMIT, connection).await;
                drop(place);
            });
        }
    }
}

/// Says what the proxy's own metrics are.
fn describe() {
    use metrics::{Unit, describe_counter, describe_gauge};

    for (name, what) in [
        ("lakebase_proxy_connections_accepted_total", "Connections that clients opened"),
        ("lakebase_proxy_connections_rejected_total", "Clients rejected before a login"),
        ("lakebase_proxy_cancel_requests_total", "Cancel requests passed on"),
        ("lakebase_proxy_logins_total", "Logins for clients; result is ok or the error's kind"),
    ] {
        describe_counter!(name, Unit::Count, what);
    }
    let what = "Bytes carried after logins; direction is to_server or to_client";
    describe_counter!("lakebase_proxy_bytes_total", Unit::Bytes, what);
    let what = "Sessions that stand or are logging in";
    describe_gauge!("lakebase_proxy_sessions", Unit::Count, what);
    let what = "Seconds that the token of a target has left, 0 without one";
    describe_gauge!("lakebase_proxy_token_seconds", Unit::Seconds, what);
}

/// The proxy that probes ask about.
pub(super) struct Watched {
    pub(super) monitor: Monitor,
    /// In the order of [`Monitor::status`].
    pub(super) served: Vec<Served>,
    pub(super) draining: AtomicBool,
    pub(super) clock: Arc<dyn Clock>,
}

impl Watched {
    fn answer(
        &self,
        request: &Request<Incoming>,
        metrics: &PrometheusHandle,
    ) -> Response<Full<Bytes>> {
        const TEXT: &str = "text/plain; charset=utf-8";
        let (status, kind, body) = match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/livez") => (StatusCode::OK, TEXT, "ok\n".to_owned()),
            (&Method::GET | &Method::HEAD, "/readyz") => {
                let health = self.health();
                let status = match health.is_ready() {
                    true => StatusCode::OK,
                    false => StatusCode::SERVICE_UNAVAILABLE,
                };
                (status, "application/json", health.json())
            }
            (&Method::GET | &Method::HEAD, "/metrics") => {
                self.record();
                let mut text = metrics.render();
                text.push_str(&pools::metrics(&self.served, &self.monitor.pools()));
                (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text)
            }
            (&Method::GET | &Method::HEAD, "/pools") => {
                (StatusCode::OK, TEXT, pools::table(&self.served, &self.monitor.pools()))
            }
            (_, "/livez" | "/readyz" | "/metrics" | "/pools") => {
                (StatusCode::METHOD_NOT_ALLOWED, TEXT, "accepted: GET\n".to_owned())
            }
            _ => (
                StatusCode::NOT_FOUND,
                TEXT,
                "accepted: /livez, /readyz, /metrics, /pools\n".to_owned(),
            ),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    }

    fn health(&self) -> Health {
        let draining = self.draining.load(Ordering::Relaxed);
        Health::new(draining, &self.served, &self.monitor.status(), &self.monitor.pools())
    }

    /// Copies what the proxy counted; the connector's own metrics are there already.
    fn record(&self) {
        let stats = self.monitor.stats();
        metrics::counter!("lakebase_proxy_connections_accepted_total").absolute(stats.accepted);
        metrics::counter!("lakebase_proxy_connections_rejected_total").absolute(stats.rejected);
        metrics::counter!("lakebase_proxy_cancel_requests_total").absolute(stats.cancel_requests);
        metrics::counter!("lakebase_proxy_logins_total", "result" => "ok").absolute(stats.logins);
        for (kind, count) in stats.failed_logins {
            metrics::counter!("lakebase_proxy_logins_total", "result" => kind).absolute(count);
        }
        for (direction, bytes) in
            [("to_server", stats.bytes_to_servers), ("to_client", stats.bytes_to_clients)]
        {
            metrics::counter!("lakebase_proxy_bytes_total", "direction" => direction)
                .absolute(bytes);
        }
        #[expect(clippy::cast_precision_loss, reason = "sessions are few")]
        metrics::gauge!("lakebase_proxy_sessions").set(stats.sessions as f64);
        let now = self.clock.wall();
        for (served, status) in self.served.iter().zip(self.monitor.status()) {
            let Some(status) = status else { continue };
            let left =
                good_until(&status).map_or(Duration::ZERO, |until| until.saturating_since(now));
            metrics::gauge!(
                "lakebase_proxy_token_seconds",
                "target" => served.target.clone(),
                "access" => served.access()
            )
            .set(left.as_secs_f64());
        }
    }
}
