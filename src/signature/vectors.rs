//! Signatures that others made: vendors' published ones, and ones computed by OpenSSL and by Python.
//!
//! `callbox conformance` holds the service to them. Each [`Form`] names the commands that make its codes, from the environment
//! variables `SECRET`, `BODY`, `AT` and `ID`; a test runs both and compares, so that no vector rests on our own arithmetic. For one:
//!
//! ```sh
//! SECRET=topsecret BODY='{"status":"firing","id":"42"}'
//! printf %s "$BODY" | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d' ' -f1
//! ```

use super::scheme::{
    BITBUCKET, EXOSPHERE, GITHUB, GRAFANA, Hmac, OPSKNIGHT, PAGERDUTY, SENTRY, SLACK, SPLUNK, Scheme, Signed, VERCEL,
};
use std::borrow::Cow;

/// The moment of the vectors that were computed, in seconds since the epoch.
pub const AT: i64 = 1_700_000_000;

/// How codes of one kind are made without us.
#[derive(Debug)]
pub struct Form {
    /// What is signed: `{at}:{body}`.
    pub signed: &'static str,
    /// The shell command that makes a code with OpenSSL.
    pub openssl: &'static str,
    /// The Python program that makes the same.
    pub python: &'static str,
    /// What the vendor writes before the code.
    pub prefix: &'static str,
}

/// One signature.
#[derive(Debug)]
pub struct Vector {
    /// What it is for: `GitHub, published`.
    pub name: &'static str,
    /// Who says so.
    pub source: &'static str,
    /// The scheme that must accept it.
    pub scheme: Scheme,
    /// How it was made.
    pub form: &'static Form,
    /// The secret.
    pub secret: &'static str,
    /// The message's id, where the scheme has one.
    pub id: &'static str,
    /// The time, in seconds since the epoch.
    pub at: i64,
    /// The body.
    pub body: &'static str,
    /// The signature without its prefix.
    pub code: &'static str,
}

impl Vector {
    /// What a test of it is called.
    pub fn case(&self) -> &'static str {
        match self.name {
            "plain" => "vector: plain body",
            "emoji" => "vector: emoji body",
            "CRLF" => "vector: CRLF body",
            _ => "vector: published",
        }
    }

    /// The time as its sender writes it, in the scheme's own unit.
    pub fn written_time(&self) -> i64 {
        self.at * self.scheme.hmac().map_or(1, |hmac| hmac.unit.per_second())
    }

    /// Whether its vendor published it.
    pub fn is_published(&self) -> bool {
        self.source != COMPUTED
    }

    /// The headers that carry it under `scheme`, which differs from its own in nothing but the headers' names.
    pub fn headers(&self, scheme: &Hmac) -> Vec<(String, String)> {
        let mut headers = vec![(scheme.header.to_string(), format!("{}{}", self.form.prefix, self.code))];
        if let Some(header) = scheme.signed.timestamp_header() {
            headers.push((header.to_owned(), self.written_time().to_string()));
        }
        if let Signed::Identified { id, .. } = scheme.signed {
            headers.push((id.to_owned(), self.id.to_owned()));
        }
        headers
    }

    /// Whether `scheme` differs from this vector's in nothing but the names of headers.
    pub fn is_of(&self, scheme: &Hmac) -> bool {
        let Some(own) = self.scheme.hmac() else { return false };
        let frame = |signed: &Signed| match signed {
            Signed::Body => (0, "", ""),
            Signed::Timestamped { before, between, .. } => (1, *before, *between),
            Signed::Identified { .. } => (2, "", ""),
        };
        let form = |hmac: &Hmac| (hmac.algorithm, hmac.encoding, hmac.key, hmac.prefix, hmac.unit);
        form(own) == form(scheme) && frame(&own.signed) == frame(&scheme.signed)
    }
}

const BY_OPENSSL: &str = r#"printf %s "$BODY" | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d' ' -f1"#;
const BY_PYTHON: &str = "import os,hmac; e=os.environb; print(hmac.new(e[b'SECRET'], e[b'BODY'], 'sha256').hexdigest())";

static HEX: Form = Form { signed: "{body}", openssl: BY_OPENSSL, python: BY_PYTHON, prefix: "" };
static SHA256: Form = Form { prefix: "sha256=", ..HEX_OF };
static V1: Form = Form { prefix: "v1=", ..HEX_OF };
const HEX_OF: Form = Form { signed: "{body}", openssl: BY_OPENSSL, python: BY_PYTHON, prefix: "" };

static SHA1: Form = Form {
    openssl: r#"printf %s "$BODY" | openssl dgst -sha1 -hmac "$SECRET" -r | cut -d' ' -f1"#,
    python: "import os,hmac; e=os.environb; print(hmac.new(e[b'SECRET'], e[b'BODY'], 'sha1').hexdigest())",
    ..HEX_OF
};

static BASE64: Form = Form {
    openssl: r#"printf %s "$BODY" | openssl dgst -sha256 -hmac "$SECRET" -binary | openssl base64 -A"#,
    python: "import os,hmac,base64; e=os.environb; \
             print(base64.b64encode(hmac.new(e[b'SECRET'], e[b'BODY'], 'sha256').digest()).decode())",
    ..HEX_OF
};

static COLON: Form = Form {
    signed: "{at}:{body}",
    openssl: r#"printf '%s:%s' "$AT" "$BODY" | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d' ' -f1"#,
    python: "import os,hmac; e=os.environb; print(hmac.new(e[b'SECRET'], e[b'AT']+b':'+e[b'BODY'], 'sha256').hexdigest())",
    prefix: "",
};

static DOT: Form = Form {
    signed: "{at}.{body}",
    openssl: r#"printf '%s.%s' "$AT" "$BODY" | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d' ' -f1"#,
    python: "import os,hmac; e=os.environb; print(hmac.new(e[b'SECRET'], e[b'AT']+b'.'+e[b'BODY'], 'sha256').hexdigest())",
    prefix: "sha256=",
};

static V0: Form = Form {
    signed: "v0:{at}:{body}",
    openssl: r#"printf 'v0:%s:%s' "$AT" "$BODY" | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d' ' -f1"#,
    python: "import os,hmac; e=os.environb; \
             print(hmac.new(e[b'SECRET'], b'v0:'+e[b'AT']+b':'+e[b'BODY'], 'sha256').hexdigest())",
    prefix: "v0=",
};

static STANDARD: Form = Form {
    signed: "{id}.{at}.{body}",
    openssl: r#"key=$(printf %s "${SECRET#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
printf '%s.%s.%s' "$ID" "$AT" "$BODY" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A"#,
    python: "import os,hmac,base64; e=os.environb; k=base64.b64decode(e[b'SECRET'][6:]); \
             print(base64.b64encode(hmac.new(k, b'.'.join([e[b'ID'],e[b'AT'],e[b'BODY']]), 'sha256').digest()).decode())",
    prefix: "v1,",
};

const COMMON: &str = r#"{"status":"firing","id":"42"}"#;
const EMOJI: &str = "{\"title\":\"🔥 naïve 日本\",\"ok\":true}";
const LINES: &str = "{\r\n  \"title\": \"two lines\"\r\n}\r\n";
const SECRET: &str = "topsecret";
const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const COMPUTED: &str = "computed with OpenSSL and Python";

const GRAFANA_TIMED: Hmac = Hmac {
    signed: Signed::Timestamped { header: Cow::Borrowed("x-grafana-alerting-timestamp"), before: "", between: ":" },
    ..GRAFANA
};

const HEX_CODES: [&str; 3] = [
    "48285baad6fd00e895e9110cf5374817d8f79258b56fa83ae6c474d23b7f58ee",
    "b2adac853e6dd7403ca497e99e1e003b344408067694a0183cfb9ee4364b7a56",
    "6fcd95818ef12558cd3e746c9aea1e6852be802e83235477cd3883482f3f5202",
];
const BASE64_CODES: [&str; 3] = [
    "SChbqtb9AOiV6REM9TdIF9j3kli1b6g65sR00jt/WO4=",
    "sq2shT5t10A8pJfpnh4AOzRECAZ2lKAYPPue5DZLelY=",
    "b82VgY7xJVjNPnRsmuoeaFK+gC6DI1R3zTiDSC8/UgI=",
];
const SHA1_CODES: [&str; 3] = [
    "1a164c471eaa587b62fae5dd563e4bf12149207f",
    "4f6223f467b8cbd06152670597781b4e06cb11b0",
    "266498852a84b8c8f11cc16b5b96bc22c4569946",
];
const COLON_CODES: [&str; 3] = [
    "79a548536a7ab12b3b689b4dd9f974266b0d1b8ae990cbeb267eca1258283de4",
    "36896f2039eb7c7fb18de2082499aba58f7c52b00eb080a3542c48dab00113ad",
    "4225010fb83d8663bdd4a9a7dde9b91197f02d006ed21a10457ba192593e12b0",
];
const DOT_CODES: [&str; 3] = [
    "3645f7dc6ba02a32d248bbb3d37b81d49a112aa1132cc98d15cc38c0fbaf65be",
    "2e9a133dec6592635ebbc7225afae3b4aca8f4343356a2b5261bec2f2a751323",
    "928332e2736202d4852ebdee1127f3392c6e99815c36a7506464f62bb79895a5",
];
const V0_CODES: [&str; 3] = [
    "e64e5c2798c5d6f15454c7f1ce8d2997651788b2cbbc2a59ee8a6d48d1ebade6",
    "d4f487965b99b7a3da8da689475639e93da9283a27b6689e2416fc7a3a8b143e",
    "20bec62438d2c3a7dc46d6adaaf0630f2fadb8003e67357ef90690f0c3f6d70a",
];
const STANDARD_CODES: [&str; 3] = [
    "47otB8G7ybKy4tLPIPoFiv6+YyjBEc3Gh3ji/Q8FeKI=",
    "yMQxWWPMdfWHdgpT0wL5oQCz6OV5DrUdJmIPTkm0f3E=",
    "YunNq/vDq69ilrIxXFgv6Vhf6vXcycN2Pa+ZVddN0so=",
];

/// Every vector: the published ones, then for each scheme a plain body, one with an emoji, and one with line breaks of CRLF.
pub fn all() -> Vec<Vector> {
    let mut vectors = published();
    let computed: [(Scheme, &'static Form, [&'static str; 3]); 14] = [
        (Scheme::Generic, &HEX, HEX_CODES),
        (Scheme::Generic, &SHA256, HEX_CODES),
        (Scheme::Hmac(GITHUB), &SHA256, HEX_CODES),
        (Scheme::Hmac(BITBUCKET), &SHA256, HEX_CODES),
        (Scheme::Hmac(SENTRY), &HEX, HEX_CODES),
        (Scheme::Hmac(GRAFANA), &HEX, HEX_CODES),
        (Scheme::Hmac(GRAFANA_TIMED), &COLON, COLON_CODES),
        (Scheme::Hmac(EXOSPHERE), &SHA256, HEX_CODES),
        (Scheme::Hmac(OPSKNIGHT), &DOT, DOT_CODES),
        (Scheme::Hmac(PAGERDUTY), &V1, HEX_CODES),
        (Scheme::Hmac(SPLUNK), &BASE64, BASE64_CODES),
        (Scheme::Hmac(VERCEL), &SHA1, SHA1_CODES),
        (Scheme::Hmac(SLACK), &V0, V0_CODES),
        (Scheme::StandardWebhooks, &STANDARD, STANDARD_CODES),
    ];
    for (scheme, form, codes) in computed {
        let secret = if scheme == Scheme::StandardWebhooks { WHSEC } else { SECRET };
        for ((name, body), code) in [("plain", COMMON), ("emoji", EMOJI), ("CRLF", LINES)].into_iter().zip(codes) {
            let scheme = scheme.clone();
            vectors.push(Vector { name, source: COMPUTED, scheme, form, secret, id: "msg_1", at: AT, body, code });
        }
    }
    vectors
}

fn published() -> Vec<Vector> {
    let github = Vector {
        name: "published",
        source: "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
        scheme: Scheme::Hmac(GITHUB),
        form: &SHA256,
        secret: "It's a Secret to Everybody",
        id: "",
        at: AT,
        body: "Hello, World!",
        code: "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    };
    let slack = Vector {
        name: "published",
        source: "https://docs.slack.dev/authentication/verifying-requests-from-slack/",
        scheme: Scheme::Hmac(SLACK),
        form: &V0,
        secret: "8f742231b10e8888abcd99yyyzzz85a5",
        id: "",
        at: 1_531_420_618,
        body: concat!(
            "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar",
            "&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com",
            "%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN",
            "&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
        ),
        code: "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    };
    let standard = Vector {
        name: "published",
        source: "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
        scheme: Scheme::StandardWebhooks,
        form: &STANDARD,
        secret: WHSEC,
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        at: 1_614_265_330,
        body: r#"{"test": 2432232314}"#,
        code: "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    };
    vec![github, slack, standard]
}
