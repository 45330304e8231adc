//! TLS and the one HTTP client of a process.

use std::{sync::Arc, sync::OnceLock, time::Duration};

/// Rustls with ring and the compiled-in Mozilla roots: nothing is read from disk.
pub fn tls_config() -> Arc<rustls::ClientConfig> {
    static TLS: OnceLock<Arc<rustls::ClientConfig>> = OnceLock::new();
    TLS.get_or_init(|| {
        let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        #[expect(clippy::expect_used, reason = "ring supports the protocol versions that rustls calls safe")]
        let builder = versions.expect("ring supports the default TLS versions");
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    })
    .clone()
}

/// The shared HTTP/1.1 client, built on first use. Redirects are not followed; proxies are not consulted.
/// Callers set their own deadlines per request.
pub fn http_client() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let built = reqwest::Client::builder()
            .tls_backend_preconfigured((*tls_config()).clone())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_secs(5))
            .pool_idle_timeout(Duration::from_secs(30))
            .build();
        #[expect(clippy::expect_used, reason = "every option above is fixed at compile time")]
        built.expect("the HTTP client's fixed options are valid")
    })
}
