//! Destinations out of URLs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use ipnet::IpNet;
use sha2::{Digest, Sha256};
use url::Url;

use crate::cli::args::Source;
use crate::cli::failure::usage;
use crate::delivery::breaker;
use crate::delivery::channel::{self, shorthand};
use crate::delivery::destination::{Destination, Settings, Way};
use crate::delivery::template::Templates;
use crate::net::{Client, Failure, Guard, Plain};

/// How long an attempt may take.
pub const DEADLINE: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read.
const ANSWER_MAX: usize = 16 * 1024;

/// Networks besides the public ones: whoever names the destination here sits at this machine. Link-local addresses, where clouds hand
/// out credentials, are not among them.
const INNER: [(IpAddr, u8); 6] = [
    (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), 12),
    (IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), 16),
    (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
    (IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7),
];

/// A destination as `--to` names it.
pub struct Sink {
    /// What it is called in what is printed: its kind and its URL, masked.
    pub name: String,
    /// The destination.
    pub destination: Arc<Destination>,
    /// What it is known by where secrets must not stand: a hash of its URL.
    pub mark: String,
}

/// The client for all of them.
///
/// # Errors
/// This machine has no certificates to trust.
pub fn client() -> anyhow::Result<Client> {
    let inner: Result<Vec<IpNet>, _> = INNER.iter().map(|(net, length)| IpNet::new(*net, *length)).collect();
    let guard = Guard::new(&inner.context("the networks cannot be read")?);
    Ok(Client::new(guard, Plain::Anywhere, DEADLINE, ANSWER_MAX)?)
}

/// The destinations that are named; each once.
///
/// # Errors
/// One names nothing, or lacks what its kind needs.
pub fn read(named: &[Source], client: &Client) -> anyhow::Result<Vec<Sink>> {
    let mut sinks: Vec<Sink> = Vec::new();
    for source in named {
        let mut sink = one(source.read("--to")?.expose(), client)?;
        if sinks.iter().any(|before| before.mark == sink.mark) {
            continue;
        }
        let alike =
            sinks.iter().filter(|before| before.name == sink.name || before.name.starts_with(&format!("{} (", sink.name)));
        match alike.count() {
            0 => {}
            before => sink.name = format!("{} ({})", sink.name, before + 1),
        }
        sinks.push(sink);
    }
    Ok(sinks)
}

fn one(url: &str, client: &Client) -> anyhow::Result<Sink> {
    let nothing = || {
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        let scheme = if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') { scheme } else { "" };
        usage(format!(
            "--to {scheme}:… is no destination, or lacks a part: write slack://A/B/C, slack://TOKEN@CHANNEL, pagerduty://KEY, \
             discord://ID/TOKEN, telegram://TOKEN@CHAT, https://HOST/PATH or another of those in docs/channels.md"
        ))
    };
    let named = shorthand::shorthand(url).ok_or_else(nothing)?;
    let channel = channel::by_kind(named.kind).ok_or_else(nothing)?;
    let address = named.url.expose().to_owned();
    let name = match address.is_empty() {
        true => named.kind.to_owned(),
        false => format!("{} {}", named.kind, channel.masked_url(&address)),
    };
    if let Ok(url) = Url::parse(&address)
        && matches!(url.scheme(), "http" | "https")
    {
        client.check(&url).map_err(|failure| match failure {
            Failure::Address(host) => {
                usage(format!("--to {name}: {host} is neither a public nor a private address: name another"))
            }
            failure => usage(format!("--to {name}: {failure}")),
        })?;
    }
    let settings = Settings { url: named.url, token: named.token, headers: Vec::new(), basic_auth: named.basic_auth };
    let way = Way::new(channel, name.clone(), settings, Vec::new(), named.options);
    let problems: Vec<String> = way.problems().iter().map(|(setting, why)| format!("{setting} {why}")).collect();
    if !problems.is_empty() {
        return Err(usage(format!("--to {name}: {}", problems.join("; "))));
    }
    let destination = Destination {
        id: name.as_str().into(),
        tenant_id: "".into(),
        name: name.clone(),
        kind: named.kind.to_owned(),
        enabled: true,
        is_default: false,
        include_details: true,
        templates: Templates::default(),
        breaker: breaker::Settings::default(),
        per_minute: None,
        way: Ok(way),
    };
    Ok(Sink { name, destination: Arc::new(destination), mark: hex::encode(Sha256::digest(url.trim())) })
}
