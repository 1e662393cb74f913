//! All effects of a runtime, over its sockets.

use std::sync::Arc;

use lakebase_core::{HttpClient, Runtime};

use crate::dial::Dialer;
use crate::dns::DirectResolver;
use crate::http::HyperClient;
use crate::listen::SocketListen;
use crate::net::Net;
use crate::process::ThreadProcess;
use crate::{Options, SystemClock};

/// All effects over `net`; HTTP by hyper unless another client is given.
pub(crate) fn assemble<N: Net>(
    net: N,
    options: &Options,
    http: Option<Arc<dyn HttpClient>>,
) -> Runtime {
    let clock = Arc::new(SystemClock);
    let dialer = Arc::new(Dialer::new(net.clone(), clock.clone(), options.proxies.clone()));
    let dns = DirectResolver::new(net.clone(), Arc::clone(&dialer), clock.clone(), options);
    let hyper = || Arc::new(HyperClient::new(net.clone(), Arc::clone(&dialer), options));
    Runtime {
        clock,
        timer: Arc::new(net.clone()),
        spawn: Some(Arc::new(net.clone())),
        http: http.unwrap_or_else(|| hyper()),
        hosts: Arc::clone(&dialer) as _,
        fallback_hosts: Some(Arc::new(dns)),
        process: Arc::new(ThreadProcess),
        listen: Arc::new(SocketListen::new(net, options)),
        dial: dialer,
    }
}
