//! Mail over SMTP (<https://www.rfc-editor.org/rfc/rfc5321>), to vetted addresses only.

use std::error::Error;
use std::io;
use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use crate::delivery::channel::{Mail, MailTls};
use crate::net::Client;

/// What became of a mail.
pub enum Sent {
    /// It was taken.
    Taken,
    /// Not now: the server said so, or could not be reached.
    Later(String),
    /// Never.
    Refused(String),
}

/// Hands a mail to its server; the whole conversation is over within `deadline`.
pub async fn send(client: &Client, mail: &Mail, deadline: Duration) -> Sent {
    match tokio::time::timeout(deadline, hand_over(client, mail)).await {
        Ok(sent) => sent,
        Err(_) => Sent::Later(format!("{} did not answer in time", mail.server.host)),
    }
}

async fn hand_over(client: &Client, mail: &Mail) -> Sent {
    let message = match message(mail) {
        Ok(message) => message,
        Err(error) => return Sent::Refused(format!("the mail cannot be written: {error}")),
    };
    let server = &mail.server;
    let address = match client.resolve(&server.host, server.port).await {
        Ok(address) => address,
        Err(failure) => return Sent::Later(failure.to_string()),
    };
    // Connected to the address that was vetted; the certificate must be the name's.
    let Ok(parameters) = TlsParameters::new(server.host.clone()) else {
        return Sent::Refused("the name of the server can have no certificate".to_owned());
    };
    let tls = match server.tls {
        MailTls::StartTls => Tls::Required(parameters),
        MailTls::Tls => Tls::Wrapper(parameters),
        MailTls::None => Tls::None,
    };
    let mut transport =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string()).port(server.port).tls(tls);
    if let Some((user, password)) = &server.login {
        transport = transport.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
    }
    match transport.build().send(message).await {
        Ok(_) => Sent::Taken,
        Err(error) if error.is_permanent() => Sent::Refused(said(&error)),
        Err(error) => Sent::Later(said(&error)),
    }
}

/// What the server said; never what it was told.
fn said(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server answered {code}"),
        None if error.is_tls() || is_untrusted(error) => "the mail server has no certificate that can be trusted".to_owned(),
        None if error.is_client() => "the mail server offers no TLS, or no way to log in".to_owned(),
        None => "the mail server cannot be reached".to_owned(),
    }
}

/// Whether TLS is what failed while the connection was made: that comes as an error of reading.
fn is_untrusted(error: &(dyn Error + 'static)) -> bool {
    let by_tls = |error: &(dyn Error + 'static)| match error.downcast_ref::<io::Error>() {
        Some(read) => read.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()),
        None => error.is::<rustls::Error>(),
    };
    std::iter::successors(Some(error), |&error| error.source()).any(by_tls)
}

fn message(mail: &Mail) -> Result<Message, Box<dyn Error + Send + Sync>> {
    let mut builder = Message::builder()
        .from(mail.from.parse::<Mailbox>()?)
        .subject(mail.subject.clone())
        .message_id(Some(mail.message_id.clone()))
        .date(std::time::UNIX_EPOCH + Duration::from_micros(u64::try_from(mail.date.0).unwrap_or(0)));
    for to in &mail.to {
        builder = builder.to(to.parse::<Mailbox>()?);
    }
    if let Some(thread) = &mail.thread {
        builder = builder.in_reply_to(thread.clone()).references(thread.clone());
    }
    for (name, value) in &mail.headers {
        let name = HeaderName::new_from_ascii((*name).to_owned())?;
        builder = builder.raw_header(HeaderValue::new(name, value.clone()));
    }
    let plain = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(mail.text.clone());
    Ok(match &mail.html {
        Some(html) => {
            let html = SinglePart::builder().header(ContentType::TEXT_HTML).body(html.clone());
            builder.multipart(MultiPart::alternative().singlepart(plain).singlepart(html))?
        }
        None => builder.singlepart(plain)?,
    })
}
