//! Where the client commands connect to, and with which token: flags, then the environment, then the files that `serve` leaves in
//! the working directory.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use reqwest::Certificate;
use serde::Deserialize;
use url::{Host, Url};

use super::failure::usage;
use super::output::{Format, Output};
use crate::secret::Secret;

/// What `serve --dev` writes beside its database: `{"url": …, "token": …}`.
pub const DEV_FILE: &str = ".callbox-dev.json";
/// Where `serve` on SQLite writes the first admin token.
pub const TOKEN_FILE: &str = "callbox.db.token";
/// Where a service that was told nothing listens.
pub const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// Options of every command that talks to a running Callbox.
#[derive(Args, Clone)]
#[command(next_help_heading = "Connection and output")]
pub struct Global {
    /// The Callbox to talk to [default: that of `serve --dev` in this folder, else http://127.0.0.1:8080]
    #[arg(long, global = true, env = "CALLBOX_URL", hide_env_values = true, value_name = "URL")]
    pub url: Option<String>,
    /// The API token [default: that which `serve` left in this folder]
    #[arg(long, global = true, env = "CALLBOX_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Trust the certificates of this PEM file too, for https with a private authority
    #[arg(long, global = true, env = "CALLBOX_CA_CERT", hide_env_values = true, value_name = "FILE")]
    pub ca_cert: Option<PathBuf>,
    /// Text for people, or the API's JSON for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    pub output: Format,
    /// Print times in UTC instead of this machine's zone
    #[arg(long, global = true)]
    pub utc: bool,
}

impl Global {
    /// How to print.
    pub fn output(&self) -> Output {
        Output::new(self.output, self.utc)
    }
}

/// Where to connect to.
pub struct Connection {
    /// The base URL: http or https, without credentials, query and fragment.
    pub url: Url,
    /// The bearer token, if one was found.
    pub token: Option<Secret>,
    /// Authorities to trust besides the system's.
    pub roots: Vec<Certificate>,
}

#[derive(Deserialize)]
struct DevFile {
    url: String,
    token: String,
}

impl Connection {
    /// Decides from the options and the files in `folder`. A token from a file goes only to the service that wrote it: the URL in
    /// the same file, or this machine.
    ///
    /// # Errors
    /// [`super::failure::Usage`] for a URL that cannot be one or a certificate file that holds none.
    pub fn find(global: &Global, folder: &Path) -> anyhow::Result<Self> {
        let dev = dev_file(folder)?;
        let given = global.url.as_deref().filter(|url| !url.is_empty());
        let url = parse_url(given.or(dev.as_ref().map(|dev| dev.url.as_str())).unwrap_or(DEFAULT_URL))?;
        let token = match global.token.as_deref().map(str::trim).filter(|token| !token.is_empty()) {
            Some(token) => Some(Secret::new(token)),
            None => dev.filter(|dev| parse_url(&dev.url).is_ok_and(|own| own == url)).map(|dev| Secret::new(dev.token)),
        };
        let token = match token {
            None if is_loopback(&url) => token_file(folder)?,
            token => token,
        };
        Ok(Self { url, token, roots: roots(global.ca_cert.as_deref())? })
    }
}

fn parse_url(text: &str) -> anyhow::Result<Url> {
    let url = Url::parse(text).map_err(|error| usage(format!("--url is not a URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(usage("--url must begin with http:// or https:// and name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(usage("--url must not contain credentials: give the token with --token or CALLBOX_TOKEN"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(usage("--url must have neither query nor fragment"));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn dev_file(folder: &Path) -> anyhow::Result<Option<DevFile>> {
    let Some(text) = read_if_present(&folder.join(DEV_FILE))? else { return Ok(None) };
    // Not the parser's own message: it could quote the token.
    let dev = serde_json::from_str(&text).map_err(|_| usage(format!("{DEV_FILE} does not hold a url and a token")))?;
    Ok(Some(dev))
}

fn token_file(folder: &Path) -> anyhow::Result<Option<Secret>> {
    let text = read_if_present(&folder.join(TOKEN_FILE))?;
    Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).map(Secret::new))
}

fn read_if_present(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        // A file of another account is as good as none: the caller may have no business with it.
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn roots(path: Option<&Path>) -> anyhow::Result<Vec<Certificate>> {
    let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else { return Ok(Vec::new()) };
    let pem = fs::read(path).map_err(|error| usage(format!("cannot read --ca-cert {}: {error}", path.display())))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(roots) if !roots.is_empty() => Ok(roots),
        _ => Err(usage(format!("--ca-cert {} holds no PEM certificate", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn global(url: Option<&str>, token: Option<&str>) -> Global {
        Global { url: url.map(str::to_owned), token: token.map(str::to_owned), ca_cert: None, output: Format::Table, utc: true }
    }

    /// URL and token found with these flags in a folder with these files.
    fn found(url: Option<&str>, token: Option<&str>, files: &[(&str, &str)]) -> (String, Option<String>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let connection = Connection::find(&global(url, token), folder.path()).unwrap();
        (connection.url.to_string(), connection.token.map(|token| token.expose().to_owned()))
    }

    const DEV: (&str, &str) = (DEV_FILE, r#"{"url":"http://127.0.0.1:9000","token":"dev"}"#);
    const FILE: (&str, &str) = (TOKEN_FILE, "file\n");

    fn pair(url: &str, token: Option<&str>) -> (String, Option<String>) {
        (url.to_owned(), token.map(str::to_owned))
    }

    #[test]
    fn flags_win_over_files_and_files_over_defaults() {
        assert_eq!(found(None, None, &[]), pair("http://127.0.0.1:8080/", None));
        assert_eq!(found(Some(""), Some(""), &[FILE]), pair("http://127.0.0.1:8080/", Some("file")));
        assert_eq!(found(None, None, &[DEV, FILE]), pair("http://127.0.0.1:9000/", Some("dev")));
        assert_eq!(found(None, Some("flag"), &[DEV]), pair("http://127.0.0.1:9000/", Some("flag")));
        assert_eq!(found(Some("http://127.0.0.1:9000/"), None, &[DEV]), pair("http://127.0.0.1:9000/", Some("dev")));
    }

    #[test]
    fn a_token_from_a_file_goes_to_nobody_else() {
        assert_eq!(found(Some("https://pager.example"), None, &[DEV, FILE]), pair("https://pager.example/", None));
        assert_eq!(found(Some("http://[::1]:8081"), None, &[DEV, FILE]), pair("http://[::1]:8081/", Some("file")));
        assert_eq!(found(Some("http://localhost.evil.example"), None, &[FILE]), pair("http://localhost.evil.example/", None));
    }

    #[test]
    fn urls_that_cannot_be_meant_are_usage_errors() {
        for bad in ["pager", "ftp://pager", "http://u:secret@pager", "http://pager?x=1", "http://pager#x"] {
            let error = Connection::find(&global(Some(bad), None), Path::new("/nonexistent")).err().unwrap();
            assert!(error.is::<super::super::failure::Usage>(), "{bad}");
            assert!(!format!("{error:#}").contains("secret"), "{error:#}");
        }
    }

    #[test]
    fn a_ca_file_without_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        fs::write(&path, "hello").unwrap();
        assert!(roots(Some(&path)).is_err());
        assert!(roots(Some(&folder.path().join("none.pem"))).is_err());
    }
}
