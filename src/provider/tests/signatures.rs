//! What a signature that is set demands, of every type: the list of tools makes the tests, so that none can come without.

use super::*;
use crate::secret::Secret;
use crate::signature::{Unverified, check, sign};

#[test]
fn a_signature_holds_for_its_body_and_secret_alone() {
    let secret = [Secret::new("a secret of sixteen letters or more")];
    let other = [Secret::new("another secret, which nobody has set")];
    let now = received_at();
    for case in cases() {
        let kind = &case.name;
        let scheme = case.provider.scheme(&case.options);
        let body = &case.fixture.body;
        let signed = Headers::new(sign(&scheme, &secret, "msg_1", body, now));
        assert!(check(&scheme, &signed, body, &secret, now).is_ok(), "{kind}: the right one");
        let unsigned = Headers::default();
        assert_eq!(check(&scheme, &unsigned, body, &secret, now), Err(Unverified::Missing), "{kind}: none");
        assert!(check(&scheme, &signed, body, &other, now).is_err(), "{kind}: by another secret");
        assert!(check(&scheme, &signed, body, &[], now).is_err(), "{kind}: without a secret nothing holds");
        let mut changed = body.clone();
        changed.push(b' ');
        assert_eq!(check(&scheme, &signed, &changed, &secret, now).is_err(), scheme.covers_body(), "{kind}: of another body");
        let stamped = signed.iter().any(|(name, _)| name.contains("timestamp"));
        let later = now.plus_seconds(301);
        assert_eq!(check(&scheme, &signed, body, &secret, later).is_err(), stamped, "{kind}: five minutes later");
    }
}
