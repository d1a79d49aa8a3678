//! Log lines: one event, one line, on standard error.
//!
//! Owns the form of a line, what is left out, and the escaping that keeps a sender from forging lines or a terminal's display.
//! Who logs must keep secrets out of its fields; nothing here could find them.

mod json;

use std::io::{self, Write};
use std::panic::PanicHookInfo;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry;

use crate::config::{Log, LogFormat};

/// Sends all that is logged from here on to standard error, panics included.
///
/// # Errors
/// Something in this process has set up logging before.
pub fn init(log: &Log) -> Result<(), tracing::subscriber::SetGlobalDefaultError> {
    tracing::subscriber::set_global_default(subscriber(log, io::stderr))?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// What logs in the form and at the level that `log` says, to `writer`.
pub fn subscriber<W>(log: &Log, writer: W) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Escaped(writer));
    let lines = match log.format {
        LogFormat::Json => lines.event_format(json::Json).boxed(),
        LogFormat::Text => lines.boxed(),
    };
    registry().with(lines).with(filter(log.level))
}

/// Our own events at `level`; those of libraries only from warnings up, as they may print URLs. `actix_http` is left out: it
/// reports every malformed request as an error, and so lets outsiders fill the log.
fn filter(level: tracing::Level) -> Targets {
    let level = LevelFilter::from_level(level);
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("callbox", level)
        .with_target("actix_http", LevelFilter::OFF)
}

/// The place of a panic, not its message, which may hold what a sender sent.
fn log_panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, "panicked");
}

/// Writers whose lines cannot break, colour or reorder anything.
struct Escaped<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Escaped<W> {
    type Writer = EscapedLine<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        EscapedLine(self.0.make_writer())
    }
}

/// A writer that receives one whole line in each call.
struct EscapedLine<W>(W);

impl<W: Write> Write for EscapedLine<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Nearly every line is plain.
        let plain = line.strip_suffix(b"\n").unwrap_or(line).iter().all(|byte| (b' '..=b'~').contains(byte));
        if plain {
            self.0.write_all(line)?;
        } else {
            self.0.write_all(escaped(&String::from_utf8_lossy(line)).as_bytes())?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// `line` with each dangerous character but the final line break as `\uXXXX`, which is also how JSON writes it.
fn escaped(line: &str) -> String {
    let (text, end) = line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n"));
    let mut safe = String::with_capacity(line.len());
    for character in text.chars() {
        if is_dangerous(character) {
            safe.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            safe.push(character);
        }
    }
    safe.push_str(end);
    safe
}

/// Control characters, line and paragraph separators, and the marks that turn the direction of writing (Unicode Annex 9).
fn is_dangerous(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::sync::{Arc, Mutex};
    use tracing::{Level, debug, error, info, warn};

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, level: Level, events: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = subscriber(&Log { format, level }, move || writer.clone());
        tracing::subscriber::with_default(subscriber, events);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    const NASTY: &str = "a\r\n{\"level\":\"FAKE\"}\u{1b}[31m\u{7}\u{202e}\u{85}\u{2028}é";

    #[test]
    fn an_event_is_one_json_object_on_one_line_whatever_it_holds() {
        let text = logged(LogFormat::Json, Level::INFO, || {
            let error = io::Error::other(NASTY);
            let error: &(dyn std::error::Error + 'static) = &error;
            info!(field = NASTY, shown = %NASTY, seen = ?NASTY, error, less = -1, more = u64::MAX, yes = true, part = 0.5, none = f64::NAN,
                r#type = "t", "message {NASTY}");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.ends_with("}\n") && !text.trim_end().contains(is_dangerous), "{text:?}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["field"], &line["shown"], &line["level"]), (&NASTY.into(), &NASTY.into(), &"INFO".into()));
        assert_eq!((&line["seen"], &line["error"]), (&format!("{NASTY:?}").into(), &NASTY.into()));
        assert_eq!((&line["less"], &line["more"], &line["yes"]), (&(-1).into(), &u64::MAX.into(), &true.into()));
        assert_eq!((&line["part"], &line["none"], &line["type"]), (&0.5.into(), &"NaN".into(), &"t".into()));
        assert_eq!((&line["message"], &line["target"]), (&format!("message {NASTY}").into(), &module_path!().into()));
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn lines_for_people_are_safe_too() {
        let text = logged(LogFormat::Text, Level::INFO, || info!(shown = %NASTY, "message {NASTY}"));
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.trim_end_matches('\n').contains(is_dangerous), "{text:?}");
    }

    #[test]
    fn outsiders_cannot_flood_the_log_and_libraries_keep_quiet() {
        let text = logged(LogFormat::Text, Level::DEBUG, || {
            error!(target: "actix_http::h1::dispatcher", "bad request line");
            info!(target: "reqwest::connect", "https://secret.example");
            debug!("own detail");
            warn!(target: "rustls", "library warning");
        });
        assert!(!text.contains("bad request line") && !text.contains("secret.example"), "{text}");
        assert!(text.contains("own detail") && text.contains("library warning"), "{text}");
        assert_eq!(logged(LogFormat::Json, Level::WARN, || info!("quiet")), "");
    }
}
