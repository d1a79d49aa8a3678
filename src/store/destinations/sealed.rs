//! The settings of destinations, sealed: what is secret in them stands nowhere else.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::delivery::destination::Settings;
use crate::secret::{Cell, Sealer, Secret};
use crate::store::{Result, StoreError};

/// [`Settings`] as they are sealed.
#[derive(Serialize, Deserialize)]
struct Plain {
    url: Hidden,
    token: Option<Hidden>,
    headers: Vec<(String, Hidden)>,
    basic_auth: Option<(String, Hidden)>,
}

struct Hidden(Secret);

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

const fn cell(id: &str) -> Cell<'_> {
    Cell { table: "destinations", row: id, column: "sealed" }
}

/// Seals the settings of the destination `id`.
///
/// # Errors
/// The system's random source failed.
pub fn seal(sealer: &Sealer, id: &str, settings: &Settings) -> Result<String> {
    let named = |(name, value): &(String, Secret)| (name.clone(), Hidden(value.clone()));
    let plain = Plain {
        url: Hidden(settings.url.clone()),
        token: settings.token.clone().map(Hidden),
        headers: settings.headers.iter().map(named).collect(),
        basic_auth: settings.basic_auth.as_ref().map(named),
    };
    let text = serde_json::to_string(&plain).map(Secret::new).map_err(|error| StoreError::Data(error.to_string()))?;
    sealer.seal(cell(id), text.expose()).map_err(|error| StoreError::Environment(error.to_string()))
}

/// Opens what [`seal`] made for the destination `id`.
///
/// # Errors
/// It does not open with this key.
pub fn open(sealer: &Sealer, id: &str, sealed: &str) -> Result<Settings> {
    let text = sealer.open(cell(id), sealed).map_err(|error| StoreError::Refused(error.to_string()))?;
    // What serde says could hold a part of it.
    let unread = |_| StoreError::Refused("the settings of a destination cannot be read".to_owned());
    let plain: Plain = serde_json::from_str(text.expose()).map_err(unread)?;
    let named = |(name, value): (String, Hidden)| (name, value.0);
    Ok(Settings {
        url: plain.url.0,
        token: plain.token.map(|token| token.0),
        headers: plain.headers.into_iter().map(named).collect(),
        basic_auth: plain.basic_auth.map(named),
    })
}
