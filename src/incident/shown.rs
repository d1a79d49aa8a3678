//! What an incident shows besides title, severity and source, and how a newer trigger changes it.
//!
//! It is stored as one JSON text, and most triggers bring just what is stored already: so a [`Shown`] is text until its fields are
//! asked for, and fields until its text is.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::event::{Event, Image, LINKS_MAX, Link};

/// The fields that an incident takes over from its triggers, their stored text, or both. Neither: nothing.
#[derive(Debug, Default)]
pub struct Shown {
    fields: Option<Fields>,
    text: Option<Arc<str>>,
}

/// Those fields.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Fields {
    /// Part of the source that is affected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// A logical group of components.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The class of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Anything else the tool said, as JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_details: Option<Box<RawValue>>,
    /// Links, united by href.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// Images, united by src.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// The name of the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// A link to the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_url: Option<String>,
    /// Through how many Callboxes it came before this one.
    #[serde(skip_serializing_if = "is_none")]
    pub hops: u8,
}

/// Most alerts come from a tool, and not through another Callbox.
fn is_none(hops: &u8) -> bool {
    *hops == 0
}

impl Clone for Shown {
    /// The text alone where there is one: that costs nothing.
    fn clone(&self) -> Self {
        let fields = if self.text.is_some() { None } else { self.fields.clone() };
        Self { fields, text: self.text.clone() }
    }
}

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        self.to_json() == other.to_json()
    }
}

impl Shown {
    /// What `event` brings, rendered: blank words and links that come twice are left out, as an incident would.
    pub fn of(event: &Event) -> Self {
        let word = |word: &Option<String>| word.clone().filter(|word| !word.trim().is_empty());
        let mut fields = Fields {
            component: word(&event.component),
            group: word(&event.group),
            class: word(&event.class),
            custom_details: event.custom_details.as_ref().and_then(|value| to_raw_value(value).ok()),
            links: Vec::new(),
            images: Vec::new(),
            client: word(&event.client),
            client_url: word(&event.client_url),
            hops: 0,
        };
        fields.unite(&event.links, &event.images);
        let text = fields.to_json();
        Self { fields: Some(fields), text: Some(text) }
    }

    /// From the stored form.
    pub fn from_json(text: impl Into<Arc<str>>) -> Self {
        Self { fields: None, text: Some(text.into()) }
    }

    /// The stored form.
    pub fn to_json(&self) -> Arc<str> {
        self.text.clone().unwrap_or_else(|| self.fields().to_json())
    }

    /// Whether the stored form is at hand, and so a clone is cheap.
    pub fn is_rendered(&self) -> bool {
        self.text.is_some()
    }

    /// The fields; a text that does not parse shows nothing.
    pub fn fields(&self) -> Cow<'_, Fields> {
        self.fields.as_ref().map_or_else(|| Cow::Owned(parsed(self.text.as_deref())), Cow::Borrowed)
    }

    /// The fields, to be changed.
    pub fn fields_mut(&mut self) -> &mut Fields {
        let text = self.text.take();
        self.fields.get_or_insert_with(|| parsed(text.as_deref()))
    }
}

fn parsed(text: Option<&str>) -> Fields {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

impl Fields {
    fn to_json(&self) -> Arc<str> {
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned()).into()
    }

    /// Adds links and images whose target is not there yet, up to fifty of each.
    pub fn unite(&mut self, links: &[Link], images: &[Image]) {
        for link in links {
            if self.links.len() < LINKS_MAX && !self.links.iter().any(|have| have.href == link.href) {
                self.links.push(link.clone());
            }
        }
        for image in images {
            if self.images.len() < LINKS_MAX && !self.images.iter().any(|have| have.src == image.src) {
                self.images.push(image.clone());
            }
        }
    }
}
