//! Bodies as nobody sends them: changed in their structure, in their values, or in their bytes. The same seed, the same bodies.

use serde_json::{Value, json};

/// A generator of numbers: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`, or 0 where there is none.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap()
    }
}

/// `body`, changed in one to three places.
pub fn mutated(body: &[u8], random: &mut Random) -> Vec<u8> {
    let rounds = 1 + random.below(3);
    match serde_json::from_slice::<Value>(body) {
        Ok(mut value) if random.below(4) > 0 => {
            (0..rounds).for_each(|_| change(&mut value, random));
            serde_json::to_vec(&value).unwrap()
        }
        _ => (0..rounds).fold(body.to_vec(), |bytes, _| damaged(bytes, random)),
    }
}

fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(n, element)| places(element, &format!("{at}/{n}"), out));
        }
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            places(member, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), out);
        }),
        _ => {}
    }
}

fn change(value: &mut Value, random: &mut Random) {
    let mut all = Vec::new();
    places(value, "", &mut all);
    let place = all.swap_remove(random.below(all.len()));
    let other = all.get(random.below(all.len())).and_then(|other| value.pointer(other)).cloned();
    match random.below(6) {
        0 => remove(value, &place),
        1 => double(value, &place, random),
        2 => inject(value.pointer_mut(&place).unwrap(), random),
        3 => *value.pointer_mut(&place).unwrap() = other.unwrap_or_default(),
        _ => *value.pointer_mut(&place).unwrap() = replacement(random),
    }
}

fn remove(value: &mut Value, place: &str) {
    let Some((parent, name)) = place.rsplit_once('/') else { return };
    match value.pointer_mut(parent) {
        Some(Value::Array(elements)) => {
            elements.remove(name.parse().unwrap());
        }
        Some(Value::Object(members)) => {
            members.remove(&name.replace("~1", "/").replace("~0", "~"));
        }
        _ => {}
    }
}

/// The same element several times in its list; anything else as a list of itself.
fn double(value: &mut Value, place: &str, random: &mut Random) {
    let copies = 1 + random.below(4);
    let Some(one) = value.pointer(place).cloned() else { return };
    let parent = place.rsplit_once('/').map_or("", |(parent, _)| parent);
    match value.pointer_mut(parent) {
        Some(Value::Array(elements)) if !place.is_empty() => elements.extend(std::iter::repeat_n(one, copies)),
        _ => *value.pointer_mut(place).unwrap() = Value::Array(vec![one; copies]),
    }
}

const TEXTS: [&str; 12] = [
    "\0",
    "🚨🧯",
    "\u{202e}reversed",
    "\u{fffd}",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "${jndi:x}",
    "\r\nX-Injected: 1",
    "%s%n",
    "é̂",
    "\u{1}\u{7f}",
    "  ",
];

fn inject(value: &mut Value, random: &mut Random) {
    let text = TEXTS[random.below(TEXTS.len())];
    match value {
        Value::String(have) => {
            let at = have.char_indices().map(|(at, _)| at).nth(random.below(have.chars().count())).unwrap_or(0);
            have.insert_str(at, text);
        }
        Value::Object(members) => {
            members.insert(text.to_owned(), text.into());
        }
        other => *other = text.into(),
    }
}

fn replacement(random: &mut Random) -> Value {
    let deep = |levels: usize| (0..levels).fold(json!("deep"), |inner, _| json!({ "a": inner }));
    match random.below(24) {
        0 => Value::Null,
        1 => json!(i64::MAX),
        2 => json!(-1.5e300),
        3 => json!(0),
        4 => json!(""),
        5 => json!("é".repeat(1_200)),
        6 => json!("x".repeat(20_000)),
        7 => json!(true),
        8 => json!([]),
        9 => json!({}),
        10 => json!([[1], {"labels": 1}, null]),
        11 => deep(40),
        12 => deep(120),
        13 => json!("resolved"),
        14 => json!("firing"),
        15 => json!("acknowledge"),
        16 => json!("critical"),
        17 => json!("0001-01-01T00:00:00Z"),
        18 => json!("2026-01-02T03:59:59.123456Z"),
        19 => json!("2099-01-01T00:00:00+14:00"),
        20 => json!(1_767_326_400),
        21 => json!({"alerts": [{"status": "firing", "labels": {"alertname": "Inner"}}]}),
        22 => json!(vec![json!({"labels": {"n": 1}}); 60]),
        _ => TEXTS[random.below(TEXTS.len())].into(),
    }
}

fn damaged(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    let at = random.below(bytes.len());
    let byte = u8::try_from(random.below(256)).unwrap();
    match random.below(5) {
        _ if bytes.is_empty() => bytes.push(byte),
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes.insert(at, [0, b'\n', 0x1f, 0xff, b'"', b'{', byte][random.below(7)]),
        3 => {
            let end = at + random.below(bytes.len() - at);
            let slice = bytes[at..end].to_vec();
            bytes.extend(slice);
        }
        _ => {
            let end = at + random.below((bytes.len() - at).min(20));
            bytes.drain(at..end);
        }
    }
    bytes
}
