//! What an incident shows besides title, severity and source, and how a newer trigger changes it.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::event::{Event, Image, LINKS_MAX, Link};

/// The fields an incident takes over from its triggers; stored as one JSON text.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Shown {
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
}

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        let details = |shown: &Self| shown.custom_details.as_ref().map(|raw| raw.get().to_owned());
        self.component == other.component
            && self.group == other.group
            && self.class == other.class
            && self.links == other.links
            && self.images == other.images
            && self.client == other.client
            && self.client_url == other.client_url
            && details(self) == details(other)
    }
}

impl Shown {
    /// What `event` brings.
    pub fn of(event: &Event) -> Self {
        Self {
            component: event.component.clone(),
            group: event.group.clone(),
            class: event.class.clone(),
            custom_details: event.custom_details.as_ref().and_then(|value| to_raw_value(value).ok()),
            links: event.links.iter().take(LINKS_MAX).cloned().collect(),
            images: event.images.iter().take(LINKS_MAX).cloned().collect(),
            client: event.client.clone(),
            client_url: event.client_url.clone(),
        }
    }

    /// Adds links and images whose target is not there yet, up to fifty of each.
    pub fn unite(&mut self, newer: &Self) {
        for link in &newer.links {
            if self.links.len() < LINKS_MAX && !self.links.iter().any(|have| have.href == link.href) {
                self.links.push(link.clone());
            }
        }
        for image in &newer.images {
            if self.images.len() < LINKS_MAX && !self.images.iter().any(|have| have.src == image.src) {
                self.images.push(image.clone());
            }
        }
    }

    /// The stored form.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }

    /// From the stored form; what does not parse shows nothing.
    pub fn from_json(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}
