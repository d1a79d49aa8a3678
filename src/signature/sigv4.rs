//! AWS Signature Version 4, for requests to the root of a host: how APIs that take everything in a form's body are called.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>. Paths and queries, which have their own
//! rules of spelling, are not signed here.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::mac;
use super::scheme::Algorithm;
use crate::secret::Secret;
use crate::time::Timestamp;

/// Who signs, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// The access key's id: `AKIA…`.
    pub access_key_id: &'a str,
    /// Its secret.
    pub secret_access_key: &'a Secret,
    /// The session's token, where the key is a temporary one.
    pub session_token: Option<&'a Secret>,
    /// The region: `eu-west-1`.
    pub region: &'a str,
    /// The service: `sns`.
    pub service: &'a str,
}

impl Signer<'_> {
    /// The header fields that prove a request to the root of `host` (with its port where that is not the scheme's own); names in lower
    /// case. `content_type`, where there is one, is signed and must be sent as it is.
    pub fn sign(
        &self,
        method: &str,
        host: &str,
        content_type: Option<&str>,
        body: &[u8],
        now: Timestamp,
    ) -> Vec<(String, Secret)> {
        let date = compact(now);
        let day = date.get(..8).unwrap_or_default();
        let mut headers: Vec<(&str, &str)> = content_type.map(|value| ("content-type", value)).into_iter().collect();
        headers.extend([("host", host), ("x-amz-date", &date)]);
        headers.extend(self.session_token.map(|token| ("x-amz-security-token", token.expose())));
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let request = Zeroizing::new(format!("{method}\n/\n\n{lines}\n{names}\n{}", hex::encode(Sha256::digest(body))));
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let signed = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(request.as_bytes())));
        let signature = hex::encode(code(&self.key(day), &signed));
        let credential = format!("{}/{scope}", self.access_key_id);
        let authorization = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}");
        let mut proof =
            vec![("x-amz-date".to_owned(), Secret::new(date.clone())), ("authorization".to_owned(), Secret::new(authorization))];
        proof.extend(self.session_token.map(|token| ("x-amz-security-token".to_owned(), token.clone())));
        proof
    }

    /// The key of a day, region and service.
    fn key(&self, day: &str) -> Zeroizing<Vec<u8>> {
        let first = Zeroizing::new(format!("AWS4{}", self.secret_access_key.expose()).into_bytes());
        [day, self.region, self.service, "aws4_request"].iter().fold(first, |key, text| Zeroizing::new(code(&key, text)))
    }
}

fn code(key: &[u8], text: &str) -> Vec<u8> {
    mac::code(Algorithm::Sha256, key, &[text.as_bytes()])
}

/// `20150830T123600Z`.
fn compact(now: Timestamp) -> String {
    let whole: String = now
        .to_string()
        .chars()
        .take_while(|character| *character != '.')
        .filter(|character| !"-:".contains(*character))
        .collect();
    whole + "Z"
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2015-08-30T12:36:00Z";
    const TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

    fn secret() -> Secret {
        Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    }

    /// The cases of AWS's published test suite (aws-sig-v4-test-suite) that have neither path nor query.
    #[test]
    fn the_published_vectors_hold() {
        let form = "application/x-www-form-urlencoded";
        let parameters = "application/x-www-form-urlencoded; charset=utf8";
        let (secret, token) = (secret(), Secret::new(TOKEN));
        let cases = [
            ("GET", None, "", None, "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("POST", None, "", None, "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (
                "POST",
                Some(form),
                "Param1=value1",
                None,
                "content-type;host;x-amz-date",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                "POST",
                Some(parameters),
                "Param1=value1",
                None,
                "content-type;host;x-amz-date",
                "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
            ),
            (
                "POST",
                None,
                "",
                Some(&token),
                "host;x-amz-date;x-amz-security-token",
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
        ];
        for (method, content_type, body, session_token, names, signature) in cases {
            let signer = Signer {
                access_key_id: "AKIDEXAMPLE",
                secret_access_key: &secret,
                session_token,
                region: "us-east-1",
                service: "service",
            };
            let proof =
                signer.sign(method, "example.amazonaws.com", content_type, body.as_bytes(), Timestamp::parse(NOW).unwrap().at);
            let field = |name: &str| proof.iter().find(|(have, _)| have == name).map(|(_, value)| value.expose());
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={names}, Signature={signature}"
            );
            assert_eq!((field("authorization"), field("x-amz-date")), (Some(expected.as_str()), Some("20150830T123600Z")));
            assert_eq!(field("x-amz-security-token"), session_token.map(Secret::expose));
        }
    }

    /// The key that AWS derives on the page of how to derive one.
    #[test]
    fn the_published_key_is_derived() {
        let secret = secret();
        let signer =
            Signer { access_key_id: "", secret_access_key: &secret, session_token: None, region: "us-east-1", service: "iam" };
        assert_eq!(hex::encode(&*signer.key("20150830")), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
    }
}
