//! TLS and the one HTTP client of a process.

use std::{
    error::Error,
    fmt, io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use rustls::{
    CertificateError, ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// Rustls with ring and the compiled-in Mozilla roots: nothing is read from disk.
pub fn tls_config() -> Arc<ClientConfig> {
    static TLS: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    TLS.get_or_init(|| trusting(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })).clone()
}

fn trusting(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    #[expect(clippy::expect_used, reason = "ring supports the protocol versions that rustls calls safe")]
    let builder = versions.expect("ring supports the default TLS versions");
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Authorities that one connection trusts in place of Mozilla's, as libpq's `sslrootcert` and Node's `ca` have it: who
/// gives a service's own authority wants nobody else to vouch for it.
#[derive(Clone)]
pub struct Authorities {
    pem: Arc<str>,
    roots: RootCertStore,
}

impl Authorities {
    /// Reads one certificate or several in PEM; none where one of them is broken, or there is no certificate. Line ends
    /// may be written as `\n`, which is what becomes of them in a dashboard's field.
    pub fn from_pem(text: &str) -> Option<Self> {
        let pem = text.replace("\\r", "").replace("\\n", "\n");
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate.ok()?).ok()?;
        }
        (!roots.is_empty()).then(|| Self { pem: pem.into(), roots })
    }

    /// The certificates in PEM, line ends and all.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// As [`tls_config`], with these authorities and no other.
    pub fn tls_config(&self) -> Arc<ClientConfig> {
        trusting(self.roots.clone())
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorities").field(&self.roots.len()).finish()
    }
}

/// What is wrong with a server's certificate, if that is why a connection failed. Names no host.
pub fn certificate_fault(error: &(dyn Error + 'static)) -> Option<&'static str> {
    if let Some(rustls::Error::InvalidCertificate(error)) = error.downcast_ref() {
        return Some(match error {
            // A signature that does not fit is one of another authority of the same name.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "the certificate is of an authority that is not trusted"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the certificate is of another host"
            }
            // What `openssl req -x509` makes unless it is told otherwise.
            CertificateError::Other(error) if error.to_string().contains("CaUsedAsEndEntity") => {
                "the certificate is for an authority (CA:TRUE), not for a server"
            }
            _ => "the certificate is not valid",
        });
    }
    // What these two carry is not their `source`.
    let carried = if let Some(error) = error.downcast_ref::<io::Error>() {
        error.get_ref().map(|carried| carried as &(dyn Error + 'static))
    } else if let Some(shared) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        Some(&**shared as &(dyn Error + 'static))
    } else {
        error.source()
    };
    carried.and_then(certificate_fault)
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
