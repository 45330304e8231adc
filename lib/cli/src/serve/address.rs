//! Who the caller is, by network address.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

/// The socket's address; with `TRUST_PROXY=1` what the proxy before us says: `x-real-ip`, else the last hop of
/// `x-forwarded-for`.
pub(super) fn of_caller(peer: SocketAddr, headers: &HeaderMap, trust_proxy: bool) -> IpAddr {
    let said = |name: &str| headers.get_all(name).iter().next_back().and_then(|value| value.to_str().ok());
    let proxied = || {
        let real = said("x-real-ip");
        let hop = || said("x-forwarded-for").and_then(|hops| hops.rsplit(',').next());
        real.or_else(hop).and_then(|text| text.trim().parse().ok())
    };
    let address = if trust_proxy { proxied() } else { None };
    address.unwrap_or_else(|| peer.ip()).to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(trust: bool, headers: &[(&'static str, &str)]) -> String {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(*name, value.parse().unwrap());
        }
        of_caller("127.0.0.1:9".parse().unwrap(), &all, trust).to_string()
    }

    #[test]
    fn headers_count_only_behind_a_trusted_proxy() {
        let spoofed = [("x-real-ip", "6.6.6.6"), ("x-forwarded-for", "1.1.1.1, 7.7.7.7")];
        assert_eq!(asked(false, &spoofed), "127.0.0.1");
        assert_eq!(asked(true, &spoofed), "6.6.6.6");
        assert_eq!(asked(true, &spoofed[1..]), "7.7.7.7");
        assert_eq!(asked(true, &[("x-real-ip", "nonsense")]), "127.0.0.1");
    }
}
