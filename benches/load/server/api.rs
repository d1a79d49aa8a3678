//! What is asked of a running Callbox besides traffic.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::Server;
use super::programs::TOKEN;
use crate::workload::{Endpoint, Endpoints, Target, mapping};

/// Integrations that the mix is spread over.
const MIX: usize = 100;

impl Server {
    /// Makes the integrations that the workloads post to, none of them limited.
    pub(super) async fn provision(&self) -> anyhow::Result<Target> {
        let mut mix = Vec::new();
        for number in 0..MIX {
            let kind = ["events", "alertmanager", "grafana", "datadog", "webhook"].get(number % 5).copied().unwrap_or("events");
            mix.push(self.integration(kind, &format!("mix-{number}"), false).await?);
        }
        Ok(Target::Callbox(Box::new(Endpoints {
            events: self.integration("events", "events", false).await?,
            groups: self.integration("alertmanager", "groups", false).await?,
            signed: self.integration("webhook", "signed", true).await?,
            mix,
        })))
    }

    /// Makes one integration without a rate limit.
    ///
    /// # Errors
    /// The service refuses.
    pub async fn integration(&self, kind: &str, name: &str, signed: bool) -> anyhow::Result<Endpoint> {
        let mut fields = json!({"type": kind, "name": name, "rate_limit_per_minute": 0});
        if let Some(map) = fields.as_object_mut() {
            if kind == "webhook" {
                map.insert("options".into(), json!({"mapping": mapping()}));
            }
            if signed {
                map.insert("generate_secret".into(), true.into());
            }
        }
        let answer = self
            .client
            .post(format!("http://{}/api/v1/integrations", self.address))
            .bearer_auth(TOKEN)
            .json(&fields)
            .send()
            .await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        ensure!(status.is_success(), "creating {kind}: {status} {body}");
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let url = url::Url::parse(&text("url").context("no URL")?)?;
        let path = if kind == "events" {
            "/v2/enqueue".to_owned()
        } else {
            format!("{}?{}", url.path(), url.query().unwrap_or_default())
        };
        Ok(Endpoint { kind: kind.to_owned(), path, key: text("key").context("no key")?, secret: text("signature_secret") })
    }

    /// Reads a page of incidents, as an operator's client would.
    ///
    /// # Errors
    /// The service does not answer 200.
    pub async fn page(&self, cursor: Option<&str>) -> anyhow::Result<Option<String>> {
        let mut url = url::Url::parse(&format!("http://{}/api/v1/incidents?limit=100", self.address))?;
        if let Some(cursor) = cursor {
            url.query_pairs_mut().append_pair("cursor", cursor);
        }
        // Not taken apart further: a reader's own work is not what is measured.
        #[derive(serde::Deserialize)]
        struct Page {
            next: Option<String>,
        }
        let page: Page = self.client.get(url).bearer_auth(TOKEN).send().await?.error_for_status()?.json().await?;
        Ok(page.next)
    }

    /// What a counter of the service stands at.
    ///
    /// # Errors
    /// The service does not answer 200, or has no such counter.
    pub async fn counter(&self, name: &str) -> anyhow::Result<f64> {
        let url = format!("http://{}/metrics", self.address);
        let text = self.client.get(url).bearer_auth(TOKEN).send().await?.error_for_status()?.text().await?;
        let values =
            text.lines().filter(|line| line.starts_with(name)).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(values.sum())
    }
}
