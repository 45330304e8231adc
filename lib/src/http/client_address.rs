//! Who is on the other end of the connection, as far as it can be believed.

use std::net::{IpAddr, Ipv6Addr};

use super::HeaderMap;

/// Which headers tell the client's address.
///
/// `x-forwarded-for` is appended to what the caller sent, so only its last hop means anything, and only
/// behind a proxy that is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressSource {
    /// Vercel's edge overwrites `x-vercel-forwarded-for` and `x-real-ip`.
    Vercel,
    /// A trusted proxy: `x-real-ip`, else the last hop of `x-forwarded-for`.
    Proxy,
    /// Nobody is believed: everybody who reaches the socket is one client.
    Socket,
}

/// The client's network: an IPv4 address, or the /64 of an IPv6 address, since one household or server has a
/// whole /64 to choose from.
pub fn network(headers: &HeaderMap, source: AddressSource) -> IpAddr {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let address = match source {
        AddressSource::Vercel => text("x-vercel-forwarded-for").or_else(|| text("x-real-ip")),
        AddressSource::Proxy => text("x-real-ip").or_else(|| {
            let hops = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
            hops.rsplit(',').next().map(str::trim)
        }),
        AddressSource::Socket => None,
    };
    let address = address.and_then(|text| text.parse().ok()).unwrap_or(IpAddr::V6(Ipv6Addr::LOCALHOST));
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HeaderValue;

    fn seen(pairs: &[(&'static str, &'static str)], source: AddressSource) -> String {
        let headers =
            pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));
        network(&headers.collect(), source).to_string()
    }

    #[test]
    fn a_spoofed_hop_is_not_believed() {
        let forged = &[("x-forwarded-for", "9.9.9.9, 203.0.113.7")];
        assert_eq!(seen(forged, AddressSource::Proxy), "203.0.113.7");
        assert_eq!(seen(forged, AddressSource::Vercel), "::");
        assert_eq!(seen(forged, AddressSource::Socket), "::");
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_client() {
        let a = seen(&[("x-real-ip", "2001:db8:1:2:aaaa::1")], AddressSource::Vercel);
        let b = seen(&[("x-real-ip", "2001:db8:1:2:bbbb::2")], AddressSource::Vercel);
        assert_eq!(a, b);
        assert_eq!(a, "2001:db8:1:2::");
        assert_eq!(seen(&[("x-real-ip", "::ffff:192.0.2.1")], AddressSource::Vercel), "192.0.2.1");
    }
}
