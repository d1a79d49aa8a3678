use super::*;

#[test]
fn placeholder_compiles() {
    assert_eq!(Status::parse("triggered"), Some(Status::Triggered));
}
