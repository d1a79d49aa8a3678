//! Reading single values from text. Errors are sentences that follow the setting's name, without the value where it may be secret.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use super::{Database, LogFormat};
use crate::duration::{Span, SpanError};
use crate::retention::{self, disk::HighWater};
use crate::secret::{Sealer, Secret, reference};

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is not an address and port, such as 127.0.0.1:8080 or [::]:8080"))
}

pub(super) fn public_url(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|_| "is not a URL, such as https://alerts.example.com")?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && plain {
        Ok(text.to_owned())
    } else {
        Err("must be http:// or https:// with a host, without user, query or fragment".to_owned())
    }
}

/// Networks, separated by commas; a single address is a network of one.
pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(|item| {
            let network = item.parse().or_else(|_| item.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_| format!("{item:?} is not a network, such as 10.0.0.0/8"))
        })
        .collect()
}

/// Origins of services: scheme, host and port, and nothing else.
pub(super) fn origins(text: &str) -> Result<Vec<Url>, String> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let origin = |item: &str| {
        let url = Url::parse(item).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let bare =
            url.filter(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty());
        bare.ok_or_else(|| format!("{item:?} is not an origin, such as http://127.0.0.1:4566"))
    };
    items.map(origin).collect()
}

/// Names of environment variables; not of our own, among which is the master key.
pub(super) fn variables(text: &str) -> Result<Vec<String>, String> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let name = |item: &str| match item {
        own if own.starts_with("CALLBOX_") => Err(format!("{own} is a setting of Callbox: use another variable")),
        name if reference::is_name(name) => Ok(name.to_owned()),
        other => Err(format!("{other:?} is not the name of an environment variable")),
    };
    items.map(name).collect()
}

pub(super) fn number<T: FromStr + PartialOrd + Display>(text: &str, range: RangeInclusive<T>) -> Result<T, String> {
    let number = text.trim().parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("{text:?} is not a whole number from {} to {}", range.start(), range.end()))
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("{text:?} is not true or false"))
}

/// Bytes: a whole number, with or without a unit.
pub(super) fn size(text: &str, range: RangeInclusive<usize>) -> Result<usize, String> {
    let (number, unit) = split_unit(text);
    let factor: Option<usize> = match unit {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        "kB" | "KB" => Some(1_000),
        "MB" => Some(1_000_000),
        "GB" => Some(1_000_000_000),
        _ => None,
    };
    let size = factor.and_then(|factor| number.parse::<usize>().ok()?.checked_mul(factor));
    let size = size.ok_or_else(|| format!("{text:?} is not a size, such as 512KiB or 8MiB"))?;
    if range.contains(&size) { Ok(size) } else { Err(format!("must be from {} to {} bytes", range.start(), range.end())) }
}

/// A time: a whole number with its unit.
pub(super) fn duration(text: &str, longest: Duration) -> Result<Duration, String> {
    let (number, unit) = split_unit(text);
    let milliseconds: Option<u64> = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let total = milliseconds.and_then(|each| number.parse::<u64>().ok()?.checked_mul(each)).map(Duration::from_millis);
    let total = total.ok_or_else(|| format!("{text:?} is not a time with its unit, such as 800ms or 5s"))?;
    if total.is_zero() || total > longest {
        return Err(format!("must be more than 0 and at most {}s", longest.as_secs()));
    }
    Ok(total)
}

/// How long something is kept; `off` is for ever.
pub(super) fn age(text: &str) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|error: SpanError| format!("{text:?} is {error}"))?;
    let kept = span.is_off() || span.seconds() >= retention::SLACK;
    if kept { Ok(span) } else { Err("must be 1h at least, or off".to_owned()) }
}

/// As [`age`], where for ever is no answer.
pub(super) fn finite_age(text: &str) -> Result<Span, String> {
    let span = age(text)?;
    if span.is_off() { Err("cannot be off: what waits for ever would keep everything for ever".to_owned()) } else { Ok(span) }
}

/// A bound on bytes; 0 is none.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    size(text, 0..=usize::MAX).map(|bytes| bytes as u64)
}

/// When a disk counts as nearly full.
pub(super) fn high_water(text: &str) -> Result<HighWater, String> {
    let text = text.trim();
    let used = text.strip_suffix('%').and_then(|number| number.trim_end().parse().ok()).filter(|used| (1..100).contains(used));
    match (text, used) {
        ("off", _) => Ok(HighWater::Off),
        (_, Some(used)) => Ok(HighWater::Used(used)),
        _ => size(text, 1..=usize::MAX)
            .map(|left| HighWater::Left(left as u64))
            .map_err(|_| format!("{text:?} is not what must be left (1GiB), what may be used (1% to 99%), or off")),
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    (number, unit.trim_start())
}

/// `sqlite:FILE` or a PostgreSQL URL, which is not repeated in errors because of its password.
pub(super) fn database(text: &str) -> Result<Database, String> {
    if let Some(rest) = text.strip_prefix("sqlite:") {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        return if path.is_empty() { Err("names no file after sqlite:".to_owned()) } else { Ok(Database::Sqlite(path.into())) };
    }
    let postgres = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "postgres" | "postgresql"));
    if postgres {
        return Ok(Database::Postgres(Secret::new(text)));
    }
    Err("must be sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME".to_owned())
}

pub(super) fn master_key(text: &str) -> Result<Secret, String> {
    let secret = Secret::new(text);
    Sealer::from_text(&secret).map(|_| secret).map_err(|error| error.to_string())
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    Ok(PathBuf::from(text))
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "json" => Ok(LogFormat::Json),
        "text" => Ok(LogFormat::Text),
        _ => Err(format!("{text:?} is not json or text")),
    }
}

pub(super) fn log_level(text: &str) -> Result<tracing::Level, String> {
    let named = text.bytes().all(|byte| byte.is_ascii_alphabetic());
    text.parse().ok().filter(|_| named).ok_or_else(|| format!("{text:?} is not error, warn, info, debug or trace"))
}
