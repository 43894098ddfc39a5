//! Where a request comes from, when proxies that we trust stand in between. Pure.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::base::{Error, Result};

/// The proxies whose `X-Forwarded-For` is believed.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Vec<(IpAddr, u8)>);

impl Proxies {
    /// Reads networks such as `10.0.0.0/8`, `fd00::/8` or a single `127.0.0.1`.
    ///
    /// # Errors
    /// `Invalid` that names the setting and the text that is no network.
    pub fn parse(networks: &[String]) -> Result<Self> {
        networks
            .iter()
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
            .map(network)
            .collect::<Result<_>>()
            .map(Self)
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|(network, bits)| match (network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(*bits)).unwrap_or(0);
                (network.to_bits() ^ address.to_bits()) & mask == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(*bits)).unwrap_or(0);
                (network.to_bits() ^ address.to_bits()) & mask == 0
            }
            _ => false,
        })
    }

    /// The client's address: the peer's, or the last one in `forwarded` (the values of `X-Forwarded-For` in order) that
    /// none of our proxies has. What stands before it, anybody can have written.
    #[must_use]
    pub fn client(&self, peer: Option<IpAddr>, forwarded: &[&str]) -> IpAddr {
        let mut client = peer.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)).to_canonical();
        for hop in forwarded.iter().rev().flat_map(|value| value.rsplit(',')) {
            if !self.trust(client) {
                break;
            }
            match address(hop.trim()) {
                Some(hop) => client = hop.to_canonical(),
                None => break,
            }
        }
        client
    }
}

fn network(text: &str) -> Result<(IpAddr, u8)> {
    let refuse = || {
        let message = format!("ORDERCAST_TRUSTED_PROXIES: {text} is not a network such as 10.0.0.0/8");
        Error::invalid("bad_setting", message)
    };
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().map_err(|_| refuse())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Ok(most), str::parse::<u8>).map_err(|_| refuse())?;
    if bits > most { Err(refuse()) } else { Ok((address, bits)) }
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// What stands for a client when its requests are counted: a household or site with IPv6 has a whole /64.
#[must_use]
pub fn counted_as(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(networks: &[&str]) -> Proxies {
        Proxies::parse(&networks.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn client(networks: &[&str], peer: &str, forwarded: &[&str]) -> String {
        proxies(networks).client(Some(peer.parse().unwrap()), forwarded).to_string()
    }

    #[test]
    fn without_trusted_proxies_the_header_means_nothing() {
        assert_eq!(client(&[], "192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(client(&["10.0.0.0/8"], "192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
    }

    #[test]
    fn the_last_hop_that_is_not_ours_is_the_client() {
        let ours = &["10.0.0.0/8", "::1", "fd00::/8"];
        assert_eq!(client(ours, "10.1.2.3", &["1.1.1.1, 203.0.113.9, 10.9.9.9"]), "203.0.113.9");
        assert_eq!(client(ours, "10.1.2.3", &["1.1.1.1", "203.0.113.9:4711", "10.9.9.9"]), "203.0.113.9");
        assert_eq!(client(ours, "::1", &["[2001:db8::7]:80"]), "2001:db8::7");
        assert_eq!(client(ours, "fd12::1", &["2001:db8::7"]), "2001:db8::7");
        assert_eq!(client(ours, "::ffff:10.1.2.3", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(client(ours, "10.1.2.3", &[]), "10.1.2.3");
        assert_eq!(client(ours, "10.1.2.3", &["10.5.5.5"]), "10.5.5.5");
    }

    #[test]
    fn nonsense_ends_the_walk() {
        assert_eq!(client(&["10.0.0.0/8"], "10.1.2.3", &["203.0.113.9, unknown, 10.4.4.4"]), "10.4.4.4");
        assert_eq!(client(&["0.0.0.0/0"], "10.1.2.3", &[",,"]), "10.1.2.3");
        assert_eq!(Proxies::default().client(None, &["203.0.113.9"]).to_string(), "::");
    }

    #[test]
    fn networks_that_are_none_are_refused() {
        for text in ["x", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "/8"] {
            assert!(Proxies::parse(&[text.to_owned()]).is_err(), "{text}");
        }
        assert!(Proxies::parse(&[String::new(), " 10.0.0.0/8 ".into()]).is_ok());
        assert!(proxies(&["0.0.0.0/0"]).trust("203.0.113.9".parse().unwrap()));
        assert!(!proxies(&["0.0.0.0/0"]).trust("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn a_site_with_many_addresses_is_counted_once() {
        let one = counted_as("2001:db8:1:2:3::4".parse().unwrap());
        assert_eq!(one, counted_as("2001:db8:1:2::ffff".parse().unwrap()));
        assert_ne!(one, counted_as("2001:db8:1:3::".parse().unwrap()));
        assert_ne!(counted_as("192.0.2.1".parse().unwrap()), counted_as("192.0.2.2".parse().unwrap()));
    }
}
