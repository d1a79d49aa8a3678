//! `.http` files: one request as it goes over the wire, as fixtures and bug reports have it.

use url::Url;

use super::args::Header;
use super::failure::usage;

/// A request taken apart.
#[derive(PartialEq, Eq, Debug, Default)]
pub struct RawRequest {
    /// The parameters of the request line.
    pub query: Vec<(String, String)>,
    /// The headers, names in lower case.
    pub headers: Vec<Header>,
    /// Every byte after the blank line.
    pub body: Vec<u8>,
}

/// Takes a request apart: an optional request line (`POST /path?a=b HTTP/1.1`), headers, a blank line, the body. Lines end in LF or
/// CRLF (RFC 9112, section 2.2); the body is taken as it stands, whatever Content-Length says.
///
/// # Errors
/// [`super::failure::Usage`]: a line that is no header.
pub fn split(bytes: &[u8]) -> anyhow::Result<RawRequest> {
    let mut request = RawRequest::default();
    let mut rest = bytes;
    let mut first = true;
    while !rest.is_empty() {
        let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        let line =
            std::str::from_utf8(line).map_err(|_| usage("the head of the .http file is not UTF-8 text"))?.trim_end_matches('\r');
        if line.is_empty() {
            request.body = rest.to_vec();
            return Ok(request);
        }
        match target(line) {
            Some(target) if first => request.query = query(target),
            _ => request
                .headers
                .push(line.parse().map_err(|problem| usage(format!("line {line:?} of the .http file is {problem}")))?),
        }
        first = false;
    }
    Ok(request)
}

/// The target of a request line, if `line` is one.
fn target(line: &str) -> Option<&str> {
    let mut words = line.split(' ');
    let method = words.next()?;
    let target = words.next()?;
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    (is_method && (target.starts_with('/') || target.contains("://"))).then_some(target)
}

fn query(target: &str) -> Vec<(String, String)> {
    let base = Url::parse("http://localhost/").ok();
    let url = Url::options().base_url(base.as_ref()).parse(target);
    url.map(|url| url.query_pairs().into_owned().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> Header {
        Header { name: name.into(), value: value.into() }
    }

    #[test]
    fn with_request_line_and_crlf() {
        let request =
            split(b"POST /api/integrations/x?integrationId=h&a=b%20c HTTP/1.1\r\nHost: x\r\nX-Sig: a:b\r\n\r\n{\r\n\r\n}")
                .unwrap();
        assert_eq!(request.query, [("integrationId".into(), "h".into()), ("a".into(), "b c".into())]);
        assert_eq!(request.headers, [header("host", "x"), header("x-sig", "a:b")]);
        assert_eq!(request.body, b"{\r\n\r\n}");
    }

    #[test]
    fn headers_alone_and_no_body() {
        let request = split(b"Content-Type: application/json\n\n\xff\xfe").unwrap();
        assert_eq!(request.headers, [header("content-type", "application/json")]);
        assert_eq!(request.body, [0xff, 0xfe]);
        assert_eq!(split(b"A: b").unwrap().body, b"");
        assert_eq!(split(b"\n{}").unwrap().body, b"{}");
        assert_eq!(split(b"").unwrap(), RawRequest::default());
    }

    #[test]
    fn a_body_without_a_head_is_named() {
        assert!(split(b"{\"a\": 1}\n").is_err_and(|error| error.is::<super::super::failure::Usage>()) || split(b"{}\n").is_err());
        assert!(split(b"POST nowhere\n\n").is_err());
    }
}
