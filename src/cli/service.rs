//! `callbox service`: what incidents are about.

use clap::Subcommand;
use serde_json::json;

use super::Session;
use super::api::Query;
use super::args::Paging;
use super::lookup::{self, Named};
use super::read::{cell, items, text, time};

/// Commands on services.
#[derive(Subcommand)]
pub enum Command {
    /// Create a service
    #[command(after_help = "Example:\n  callbox service create payments")]
    Create {
        /// Its name
        name: String,
    },
    /// List services
    #[command(after_help = "Example:\n  callbox service list")]
    List(Paging),
    /// Show one service
    #[command(after_help = "Example:\n  callbox service show payments")]
    Show {
        /// Name or id
        service: String,
    },
    /// Give a service another name
    #[command(after_help = "Example:\n  callbox service rename payments billing")]
    Rename {
        /// Name or id
        service: String,
        /// The new name
        name: String,
    },
    /// Delete a service
    #[command(after_help = "Example:\n  callbox service delete billing")]
    Delete {
        /// Name or id
        service: String,
    },
}

impl Command {
    /// Runs it.
    ///
    /// # Errors
    /// What the API says.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        let (api, out) = (&session.api, &session.out);
        let answer = match self {
            Self::List(paging) => return list(session, paging).await,
            Self::Delete { service } => return delete(session, service).await,
            Self::Create { name } => api.post(&["services"], &json!({ "name": name })).await?,
            Self::Show { service } => {
                let id = lookup::id(api, Named::Service, service).await?;
                api.get(&["services", &id], &Query::new()).await?
            }
            Self::Rename { service, name } => {
                let id = lookup::id(api, Named::Service, service).await?;
                api.patch(&["services", &id], &json!({ "name": name })).await?
            }
        };
        if out.is_json() {
            return out.json(&answer);
        }
        out.fields(&[
            ("name", text(&answer, "name")),
            ("id", text(&answer, "id")),
            ("created", time(&answer, "created_at", out)),
            ("created by", text(&answer, "created_by")),
            ("updated", time(&answer, "updated_at", out)),
        ])
    }
}

async fn list(session: &Session, paging: &Paging) -> anyhow::Result<()> {
    let answer = session.api.list(&["services"], &Query::new(), paging).await?;
    let out = &session.out;
    if out.is_json() {
        return out.json(&answer);
    }
    let rows: Vec<Vec<String>> = items(&answer)
        .iter()
        .map(|service| vec![cell(service, "name", 50), time(service, "created_at", out), text(service, "id")])
        .collect();
    out.table(&["NAME", "CREATED", "ID"], &rows, "no services")?;
    super::more(session, &answer)
}

async fn delete(session: &Session, service: &str) -> anyhow::Result<()> {
    let id = lookup::id(&session.api, Named::Service, service).await?;
    let answer = session.api.delete(&["services", &id], &Query::new()).await?;
    if session.out.is_json() && !answer.is_null() {
        return session.out.json(&answer);
    }
    session.out.text(&format!("{service} is deleted"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Answer, Server};
    use super::*;

    #[tokio::test]
    async fn rename_finds_the_service_by_name() {
        let server = Server::start([
            Answer::json(200, r#"{"items":[{"id":"svc_1","name":"payments"}],"next":null}"#),
            Answer::json(200, r#"{"id":"svc_1","name":"billing"}"#),
        ]);
        let command = Command::Rename { service: "payments".into(), name: "billing".into() };
        command.run(&server.session()).await.unwrap();
        let seen = server.requests();
        assert_eq!(seen[1].line, "PATCH /api/v1/services/svc_1 HTTP/1.1");
        assert_eq!(seen[1].json(), json!({"name": "billing"}));
    }
}
