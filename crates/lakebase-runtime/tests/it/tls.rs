//! Whom the HTTP clients trust.

use lakebase_core::ErrorKind;
use lakebase_runtime::Options;
use lakebase_testkit::assert_error;

use crate::proxies::get;
use crate::suites::Make;
use crate::tls_server::Authority;

/// The right authority and name are accepted; another name, another authority and plain text are `Tls`.
pub(crate) async fn https(make: Make) {
    let (ours, others) = (Authority::new(), Authority::new());
    let trusting = Options::new().root_certificates_pem(&ours.pem).unwrap();
    let runtime = make(&trusting).unwrap();
    let ask = async |url: String| get(&runtime, &url).await;

    let right = ours.serve("localhost").port();
    for _ in 0..3 {
        assert_eq!(ask(format!("https://localhost:{right}/")).await.unwrap(), "secure");
    }
    let by_address = ours.serve("127.0.0.1").port();
    assert_eq!(ask(format!("https://127.0.0.1:{by_address}/")).await.unwrap(), "secure");

    let wrong_name = ours.serve("w.example").port();
    let wrong_authority = others.serve("localhost").port();
    for port in [wrong_name, wrong_authority] {
        let error = ask(format!("https://localhost:{port}/")).await.unwrap_err();
        assert_error(&error, ErrorKind::Tls, &["certificate"]);
        assert!(error.to_string().contains(&format!("localhost:{port}")), "{error}");
    }

    let plain = lakebase_testkit::conformance::http_server::HttpServer::start();
    let error = ask(format!("https://{}/echo", plain.host())).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Tls | ErrorKind::Unavailable), "{error:?}");

    // Without the extra certificate nobody vouches for the server.
    let url = format!("https://localhost:{right}/");
    let runtime = make(&Options::new()).unwrap();
    let error = get(&runtime, &url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{}", error.report());

    #[cfg(feature = "http-surf")]
    {
        let error = make(&trusting.surf(true)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("SSL_CERT_FILE"), "{error}");
        let runtime = make(&Options::new().surf(true)).unwrap();
        let error = get(&runtime, &url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{}", error.report());
    }
}
