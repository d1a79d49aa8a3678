//! Messages and a token that OpenSSL signed once, with keys that nobody has any more: what stands here is public.
//!
//! As the vectors of shared secrets ([`super::super::vectors`]), they rest on no arithmetic of ours: a test has OpenSSL and Python check
//! each of them. Whoever makes new ones signs [`Message::signed_text`] by `openssl dgst -sha256 -sign key.pem`, by `-sha1` for version 1.

use serde_json::{Value, json};

use super::oidc;
use crate::signature::vectors::AT;

/// The topic of the messages.
pub const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:alerts";
/// What the token is for.
pub const AUDIENCE: &str = "https://callbox.example";
/// Whose the token is.
pub const ACCOUNT: &str = "push@shop.iam.gserviceaccount.com";
/// The name of the token's key.
pub const KID: &str = "vectors";
/// The modulus of the key of [`CERTIFICATE`] and of the token, in base64url; its exponent is 65537.
pub const MODULUS: &str = concat!(
    "lpDQJS0Gvm28bYAhgPpXJmcrlbEbi2jZsu_G7TMrpDEIP2tXFQb1UQwHBCRgvj-Jj3yqajpBklQhYqjYxBW00egazbTdJQUHnEEgSV1PBwL7PatHvKaA",
    "-QwyssWHEShtyMZ6Oy7pA0KIPYVuRUGufW5wJK5D46gkMVa8MHmXB0MFZlH2ZXCwo5e_-O7pdVz8rbZJpVT-SxdtSSVrH50pZbOTlFpEYWv-5c2grPRL",
    "9Or1WFD7DwwiUXT-4ehda43QrjGVIgKtxAuZYcJMgsiVbhvh-wUTkHl6DfHgo1CoZfmR-tnrDq6WR286qBAqnJqvCtQO-8cNV_egTZE6ZbeW9w",
);

/// The certificate of the messages' key, valid from 2020 to 2120.
pub const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIC7TCCAdWgAwIBAgIBAzANBgkqhkiG9w0BAQsFADAWMRQwEgYDVQQDDAtzbnMu
ZXhhbXBsZTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFjEUMBIG
A1UEAwwLc25zLmV4YW1wbGUwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIB
AQCWkNAlLQa+bbxtgCGA+lcmZyuVsRuLaNmy78btMyukMQg/a1cVBvVRDAcEJGC+
P4mPfKpqOkGSVCFiqNjEFbTR6BrNtN0lBQecQSBJXU8HAvs9q0e8poD5DDKyxYcR
KG3Ixno7LukDQog9hW5FQa59bnAkrkPjqCQxVrwweZcHQwVmUfZlcLCjl7/47ul1
XPyttkmlVP5LF21JJWsfnSlls5OUWkRha/7lzaCs9Ev06vVYUPsPDCJRdP7h6F1r
jdCuMZUiAq3EC5lhwkyCyJVuG+H7BROQeXoN8eCjUKhl+ZH62esOrpZHbzqoECqc
mq8K1A77xw1X96BNkTplt5b3AgMBAAGjRDBCMAkGA1UdEwQCMAAwFgYDVR0RBA8w
DYILc25zLmV4YW1wbGUwHQYDVR0OBBYEFJhDKXWK51aveD0uoD3JMIUk4FfuMA0G
CSqGSIb3DQEBCwUAA4IBAQCG2veL9gzQIz076v2HQngcdCZSfS5Z2sIEz2Hmwela
m1oRIdG08/H5f1VAkfvIivlrfyiBwHW+Vs3vTCb70ctLbi/nCLXjccljkaN8dgR9
uKFtF2ynX3ySKcnBJ6/qS/CB/S5OVlv7ueIUJoGCfMoy8a7ByCbubPolKPlXSjfA
8ExTJIfC9cEBZU0oHmulZ3vBKH7UQsIEjUSDMV9MucLoLfeWycCu6Xr6o2fGvsc+
QBkIp+tur6iiacoyGPKhJ0vYVVnL0DGGucpEu1qbZCo91NXYsA/ItZVW/gtgsDE+
CQWObrlkIQSFmrDDfe0lZBy1I6Oz8WfN5lfovl0Jj8ZW
-----END CERTIFICATE-----
";
/// The certificate of another key.
pub const OTHER_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIC7TCCAdWgAwIBAgIBBDANBgkqhkiG9w0BAQsFADAWMRQwEgYDVQQDDAtzbnMu
ZXhhbXBsZTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFjEUMBIG
A1UEAwwLc25zLmV4YW1wbGUwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIB
AQC6DZAMHmTFHHRPla9vIBtPNyiK9LazbBfjj2BUAQKmCt+o+jMtbMIpr35Giq1G
cF3HfeOiHkisoWF7obBqjbrn21oFaufViRUNsct5rb7g8SnIl2u7Gt43PUnf28RW
705SpE0eySewdVfeknadijCbqWBMZOBfOD89NAF25jP/mUaeSn8B9D1ceB9dz0IQ
1tWjeROlNfdBj71+9apPcG5SNWc917WAv8EXiJ4GuwmwUkd+MLq/Bw76rVqD8YF2
whhq7uD71UH7AZMsEO2Y09/+ES5+EiSjNh/oT4Cyfqkq6dD6diNZD92FS1a6imK1
GMprezEQ77KBoIblxDzcNyrfAgMBAAGjRDBCMAkGA1UdEwQCMAAwFgYDVR0RBA8w
DYILc25zLmV4YW1wbGUwHQYDVR0OBBYEFBHRj7QfQqqrrei+Ha2KLVaj6B3iMA0G
CSqGSIb3DQEBCwUAA4IBAQC1n8AZn3vhBYQXYKA5gVOuc62XS6oen5o/pr+3ygYe
IcWixHyuVx15HqxrYeTQLmjHdsIMzgYhROzkN3SfRpE+0sCOPFV6sWGaAl1o/U0T
h3EsjR66qC03jYNKR+qwu3P7SUWne9atrbPohFvO0yiar16SJJw1AfHF8tpsxTSY
6Nw5H9HwNPV2UjQQ1N0H9TfQKyZeUyTEf8cRnVoYWKVDv7jeTUclcIDAzxI0CwtW
IB31VQj9wRmWQi2CVJk5aPn4AiuSrbzZeSpXEj88Q39elLqCeBFO0tbgG1izKo3N
cmAFRaXJUkGqPeLZBH7djaQrOrgI2FiyluFu1Z6Mwlca
-----END CERTIFICATE-----
";

/// One message of SNS's.
#[derive(Debug)]
pub struct Message {
    /// What it is for: `version 2, emoji`.
    pub name: &'static str,
    /// The version of its signature.
    pub version: &'static str,
    /// Its text.
    pub text: &'static str,
    /// The signature, in base64.
    pub code: &'static str,
}

impl Message {
    /// The message as SNS posts it.
    pub fn body(&self) -> Value {
        json!({
            "Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": TOPIC, "Subject": "a vector",
            "Message": self.text, "Timestamp": "2023-11-14T22:13:20.000Z", "SignatureVersion": self.version, "Signature": self.code,
            "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-vectors.pem",
            "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
        })
    }

    /// What is signed: the fields, each with its name, a line each.
    pub fn signed_text(&self) -> String {
        let (id, text) = ("22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", self.text);
        format!(
            "Message\n{text}\nMessageId\n{id}\nSubject\na vector\nTimestamp\n2023-11-14T22:13:20.000Z\nTopicArn\n{TOPIC}\nType\nNotification\n"
        )
    }
}

/// The messages.
pub const MESSAGES: [Message; 4] = [
    Message { name: "version 1", version: "1", text: "no alert", code: PLAIN1 },
    Message { name: "version 2", version: "2", text: "no alert", code: PLAIN2 },
    Message { name: "version 2, emoji", version: "2", text: "🔥 naïve 日本", code: EMOJI2 },
    Message { name: "version 2, CRLF", version: "2", text: "one\r\ntwo\r\n", code: CRLF2 },
];

/// The token: header and claims, and the signature over both.
pub const TOKEN: [&str; 2] = [
    concat!(
        "eyJhbGciOiJSUzI1NiIsImtpZCI6InZlY3RvcnMiLCJ0eXAiOiJKV1QifQ.eyJhdWQiOiJodHRwczovL2NhbGxib3guZXhhbXBsZSIsImVtYWlsIjoic",
        "HVzaEBzaG9wLmlhbS5nc2VydmljZWFjY291bnQuY29tIiwiZW1haWxfdmVyaWZpZWQiOnRydWUsImV4cCI6MTcwMDAwMzYwMCwiaWF0IjoxNzAwMDAwM",
        "DAwLCJpc3MiOiJodHRwczovL2FjY291bnRzLmdvb2dsZS5jb20iLCJzdWIiOiIxIn0",
    ),
    concat!(
        "fH6YIYayha7-hrRZQ76LE3-WELO7wB-XnceOMbooVFs0RW9VQ4ck7k99G-vZ719Xx915vB39i4IsOUf-3wTP_bsXs8vVNocoTUm6TUr7r6PTC4lksQlA",
        "x7Qbw89pGVally-ICldh9Hbm6lPSWctAH-a3SNFOjkyF1xVIdFFwvLpiFAq_KTvTtIe1tKt-N8nerBX0ks8sNLOo4kU1CdIYcyMcCc6tzTkzH_oiiMSc",
        "E0UtL2dGhu84OkzUC3e6KgHADKCej7a6WxPqyJiH0qc1RkXGkQsWFXLUqbQ3EVDY-G5F-pa3eJZNsBQmOFotKUwSSWyPH8HlwRCBnWt4E2oMrQ",
    ),
];

/// What Google would publish for it.
pub fn keys() -> Value {
    json!({"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": KID, "n": MODULUS, "e": "AQAB"}]})
}

/// The claims of the token, to be changed.
pub fn claims() -> Value {
    json!({
        "aud": AUDIENCE, "email": ACCOUNT, "email_verified": true, "exp": AT + 3_600, "iat": AT, "iss": oidc::GOOGLE[0], "sub": "1",
    })
}

const PLAIN1: &str = concat!(
    "CNMsxdrrmhjJYIovegvliDqJmG34L325L29nffagPYRwOgKZir8tQ0oIOQdeje1GSDC44CmORWNKkNr3P8xfw2ZU5uwdTMCcswb7vYAhKb8IDbr8nHNL",
    "1/vToqT+nz7hlJ/UKTdspYSPu2MSkFsC6f1kkPG7mfcjBTieiNMYZcQPcmfiWNdjyv6cllKgkHwxrWQ/pNBsSrezzAPoXlJJjcV5oCXZACSKF0XP0D+S",
    "6h+ia9cs3j5o3uxXQ5h4YiLYJNXSfz89v8s6GN3FtJ6/Okja5wrjHTj/1ARFy9nF0PbP0Ty6b0JRGP/ymQRSXYBHaLQgvrtPna9c7PvwbTYg8A==",
);

const PLAIN2: &str = concat!(
    "ib2H+fRKAL4w9eNa7pPwhsPsYJL88ueUXnjRpZy6e9ouhEXvP0p2T8ScIerbRV38dy6fKrS8ctmlPIMSK0ZFFKpk5L5b29teWvLc71Ce06J/49f+uHU7",
    "RUSnAYV3h+FEHZFG4OdFKOFKvMNx5aPJIfNkBAU6Pi2gFN4QKyzhIKnf8MZT3WP7F6hKRLgisbJckk9o+FpqnAjZ3HXoHDPGaCDUJpXicFBbo0bCv1BV",
    "35othbxDjYdB7cRwp0IPPGWS34TlketcxAAoeobJyPSML2hYKOsrNmk3icSazREzAYJzyP8XEvPTeze7KX+FywLEDj/7aEBauNwKCT20OYpTXw==",
);

const EMOJI2: &str = concat!(
    "QD11/M6m5QJsrzpN7Z30WMC6YXTs8XHP8ZEm7OHzhNuhfbduu5nawqlYyoGILHD0HgJTYjeTHaxuF949O2m72J37JUrMusgF7WVQl697KftMivWzqwN4",
    "rO6IYoTd4uinHdfHazM6g0/iZ09lprAnPzsB2hv0aqyFLCSV9WVJUtMS8JLRUyn9U1IuMkZq8N2nnIQGQ6gops0uRJOUwWiOZvP0mS5oUdrl3r06+m0T",
    "NHQdGb3LggZastpYR7Trg5o0EMcTOeILxAxy/NCpMXPyJSRukOz/ogYlRpMSYMm6+xxWv/q7eIUl7cpNxWUTQzJJgsE4jkO1thT/kyFL8Nkjow==",
);

const CRLF2: &str = concat!(
    "K+/xAy8SEdi8XypOKCg+rsGq19KJpzgDixST/S+kNQvFe33al1IZ399s17mErtcM2qNMCC/oz66YiNcTFC/65zqzTjUkCR2TdandpaYA3JQcaMo1jtnR",
    "GAcglXJeQccvmG2BCRE27MOx7cGOMSUu9+9WCtJ+Ehrv+wutRhvSD2X2aSIk9QuLYuuszllJSYEPH98x463aiD1vcD8D5I0SlaidI3TcWgxaX4nUeWww",
    "Tz5qzf/g3aPAmk+n/DE+5tfx9MmmWIc3UeUg8H28ZBWw4Kpq/7AxbwCz3tlkUhtzePHRXRUBQlD3vF6/z3uScxs8R8R/9um2L8bErfY7TQ3TAQ==",
);
