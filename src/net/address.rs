//! Which addresses are public, and which an operator allows besides.
//!
//! The registries: <https://www.iana.org/assignments/iana-ipv4-special-registry> and
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>. Whatever is not known to be global is not public.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// IPv4 that is not global, and the address at which Azure's machines find their host.
const PRIVATE_V4: [(Ipv4Addr, u8); 18] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// IPv6 within global unicast (2000::/3) that is not global: protocol assignments with Teredo and ORCHID, documentation, and 6to4, whose
/// addresses lead to IPv4 ones that nobody has checked.
const PRIVATE_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether everybody may reach `address`.
pub fn is_public(address: IpAddr) -> bool {
    match embedded(address) {
        IpAddr::V4(address) => !PRIVATE_V4.iter().any(|(net, length)| v4_holds(*net, *length, address)),
        IpAddr::V6(address) => {
            v6_holds(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3, address)
                && !PRIVATE_V6.iter().any(|(net, length)| v6_holds(*net, *length, address))
        }
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped (`::ffff:a.b.c.d`), or behind the well-known prefix of NAT64
/// (`64:ff9b::a.b.c.d`, RFC 6052), by which hosts without IPv4 reach public ones.
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return IpAddr::V4(v4);
    }
    if v6_holds(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, v6) {
        let [.., a, b, c, d] = v6.octets();
        return IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    }
    address
}

fn v4_holds(net: Ipv4Addr, length: u8, address: Ipv4Addr) -> bool {
    Ipv4Net::new(net, length).is_ok_and(|net| net.contains(&address))
}

fn v6_holds(net: Ipv6Addr, length: u8, address: Ipv6Addr) -> bool {
    Ipv6Net::new(net, length).is_ok_and(|net| net.contains(&address))
}

/// Which addresses may be reached.
#[derive(Clone, Debug)]
pub struct Guard {
    allowed: Arc<[IpNet]>,
    public: bool,
}

impl Guard {
    /// Public addresses, and those of the networks in `allowed`.
    pub fn new(allowed: &[IpNet]) -> Self {
        Self { allowed: allowed.into(), public: true }
    }

    /// The networks that were named, and no public address.
    pub fn inside(&self) -> Self {
        Self { allowed: Arc::clone(&self.allowed), public: false }
    }

    /// Whether public addresses are all that may be reached.
    pub fn is_outside_only(&self) -> bool {
        self.allowed.is_empty()
    }

    /// Whether no address may be reached.
    pub fn permits_nothing(&self) -> bool {
        !self.public && self.allowed.is_empty()
    }

    /// Whether `address` may be reached.
    pub fn permits(&self, address: IpAddr) -> bool {
        let meant = embedded(address);
        (self.public && is_public(meant)) || self.allowed.iter().any(|net| net.contains(&address) || net.contains(&meant))
    }
}
