//! The places that settings come from, lowest first; each may replace what the one below said.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::settings::{SETTINGS, Setting};
use super::{Config, Flags, Problem};

/// Variables that begin with `CALLBOX_` and are no settings: what client commands read, and the path of the file.
const OTHER_VARIABLES: [&str; 6] =
    ["CALLBOX_URL", "CALLBOX_TOKEN", "CALLBOX_CA_CERT", "CALLBOX_KEY", "CALLBOX_CONFIG", "CALLBOX_SIGNATURE_SECRET"];

/// A value and where it came from.
struct Given {
    text: String,
    /// Whether `text` is the path of a file that holds the value.
    in_file: bool,
    place: Place,
}

/// Where a value came from.
#[derive(Clone, Default)]
struct Place {
    origin: String,
    line: Option<usize>,
    /// The name as written there.
    name: String,
}

impl Place {
    fn problem(&self, message: impl Into<String>) -> Problem {
        Problem { origin: self.origin.clone(), line: self.line, key: self.name.clone(), message: message.into() }
    }
}

/// What all places read so far say.
#[derive(Default)]
pub(super) struct Layers {
    given: BTreeMap<&'static str, Given>,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl Layers {
    /// Adds a file of the operator's.
    pub(super) fn read_file(&mut self, path: &Path) {
        let origin = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => {
                self.add_file(&origin, &text);
                let holds_secret =
                    |given: &Given| !given.in_file && given.place.origin == origin && !given.text.starts_with("sqlite:");
                let secrets = SETTINGS.iter().filter(|setting| setting.may_be_in_file);
                if secrets.filter_map(|setting| self.given.get(setting.key)).any(holds_secret) {
                    self.warn_if_readable_by_all(path);
                }
            }
            Err(error) => {
                let place = Place { origin, ..Place::default() };
                self.problems.push(place.problem(format!("cannot be read: {error}")));
            }
        }
    }

    /// Adds the text of a settings file called `origin`.
    pub(super) fn add_file(&mut self, origin: &str, text: &str) {
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let line = error.span().map(|span| line_of(text, span.start));
            let place = Place { origin: origin.to_owned(), line, ..Place::default() };
            self.problems.push(place.problem(error.message()));
        }
        let mut layer = BTreeMap::new();
        for (section, content) in document.get_ref() {
            let place = |name: String, at: usize| Place { origin: origin.to_owned(), line: Some(line_of(text, at)), name };
            let Some(entries) = content.get_ref().as_table() else {
                let place = place(section.get_ref().to_string(), section.span().start);
                self.add_unknown(&place, file_names());
                continue;
            };
            for (key, value) in entries {
                let place = place(format!("{}.{}", section.get_ref(), key.get_ref()), key.span().start);
                match text_of(value.get_ref()) {
                    Some(text) => self.add(&mut layer, text, place, file_names()),
                    None => self.problems.push(place.problem("must be a text, a number, true, false or a list of texts")),
                }
            }
        }
        self.given.append(&mut layer);
    }

    /// Adds the variables that begin with `CALLBOX_`.
    pub(super) fn add_environment(&mut self, env: impl Iterator<Item = (String, String)>) {
        let mut layer = BTreeMap::new();
        for (name, value) in env.filter(|(name, value)| name.starts_with("CALLBOX_") && !value.is_empty()) {
            if !is_others(&name) {
                let place = Place { origin: name.clone(), line: None, name };
                self.add(&mut layer, value, place, variable_names());
            }
        }
        self.given.append(&mut layer);
    }

    /// Adds the flags.
    pub(super) fn add_flags(&mut self, flags: &Flags) {
        let flags = [
            ("--listen", "server.listen", &flags.listen),
            ("--database", "store.database", &flags.database),
            ("--tls-cert", "server.tls_cert", &flags.tls_cert),
            ("--tls-key", "server.tls_key", &flags.tls_key),
            ("--admin-listen", "server.admin_listen", &flags.admin_listen),
            ("--public-url", "server.public_url", &flags.public_url),
        ];
        for (flag, key, value) in flags {
            if let Some(text) = value.clone() {
                let place = Place { origin: flag.to_owned(), line: None, name: flag.to_owned() };
                self.given.insert(key, Given { text, in_file: false, place });
            }
        }
    }

    /// Adds one value to a layer, under the name that its place uses.
    fn add(&mut self, layer: &mut BTreeMap<&'static str, Given>, text: String, place: Place, names: Vec<Name>) {
        let Some(name) = names.iter().find(|name| name.text == place.name) else {
            return self.add_unknown(&place, names);
        };
        if text.is_empty() && (name.setting.optional || name.in_file) {
            return;
        }
        if let Some(other) = layer.get(name.setting.key) {
            self.problems.push(place.problem(format!("sets the same as {}; use one of them", other.place.name)));
        }
        layer.insert(name.setting.key, Given { text, in_file: name.in_file, place });
    }

    fn add_unknown(&mut self, place: &Place, names: Vec<Name>) {
        let near = names
            .into_iter()
            .map(|name| (strsim::jaro_winkler(&place.name, &name.text), name.text))
            .filter(|(score, _)| *score > 0.85)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        self.problems.push(place.problem(match near {
            Some((_, name)) => format!("unknown setting; did you mean {name}?"),
            None => "unknown setting".to_owned(),
        }));
    }

    /// Puts every value where it belongs in `config`.
    pub(super) fn finish(mut self, mut config: Config) -> (Config, Vec<Problem>) {
        for setting in SETTINGS {
            let Some(given) = self.given.remove(setting.key) else { continue };
            let value = if given.in_file { self.content_of(&given.text) } else { Ok(given.text) };
            if let Err(message) = value.and_then(|text| (setting.set)(&mut config, &text)) {
                self.problems.push(given.place.problem(message));
            }
        }
        config.warnings = self.warnings;
        (config, self.problems)
    }

    /// The text of a file that holds one value, without white space at its ends.
    fn content_of(&mut self, path: &str) -> Result<String, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path} cannot be read: {error}"))?;
        self.warn_if_readable_by_all(Path::new(path));
        match text.trim() {
            "" => Err(format!("{path} is empty")),
            value => Ok(value.to_owned()),
        }
    }

    #[cfg(unix)]
    fn warn_if_readable_by_all(&mut self, path: &Path) {
        use std::os::unix::fs::PermissionsExt;
        if std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0) {
            self.warnings.push(format!("{} holds a secret and everybody on this machine can read it", path.display()));
        }
    }

    #[cfg(not(unix))]
    fn warn_if_readable_by_all(&mut self, _path: &Path) {}
}

/// A name under which a place may give a setting.
struct Name {
    text: String,
    setting: &'static Setting,
    in_file: bool,
}

fn file_names() -> Vec<Name> {
    SETTINGS.iter().flat_map(|setting| with_file_name(setting.key.to_owned(), setting, "_file")).collect()
}

fn variable_names() -> Vec<Name> {
    let names = |setting: &'static Setting| setting.variables().flat_map(move |name| with_file_name(name, setting, "_FILE"));
    SETTINGS.iter().flat_map(names).collect()
}

fn with_file_name(text: String, setting: &'static Setting, suffix: &str) -> impl Iterator<Item = Name> + use<> {
    let in_file = setting.may_be_in_file.then(|| Name { text: format!("{text}{suffix}"), setting, in_file: true });
    std::iter::once(Name { text, setting, in_file: false }).chain(in_file)
}

/// Variables of other programs: our own clients', our tests', and those that Kubernetes sets for a service called `callbox`.
fn is_others(name: &str) -> bool {
    OTHER_VARIABLES.contains(&name)
        || ["CALLBOX_TEST_", "CALLBOX_PORT_", "CALLBOX_SERVICE_HOST", "CALLBOX_SERVICE_PORT"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        || name == "CALLBOX_PORT"
}

/// A scalar as text; a list of texts joined with commas.
fn text_of(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Array(items) => {
            items.iter().map(|item| item.get_ref().as_str()).collect::<Option<Vec<_>>>().map(|items| items.join(","))
        }
        DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
