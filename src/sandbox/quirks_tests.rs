use super::*;

#[test]
fn every_switch_has_its_name() {
    for name in ["no_patch", "patch_501", "filters_500", "scim_json_unread_500", "rate_403", "errors_as_text"] {
        let quirk = Quirk::named(name).unwrap();
        assert_eq!(serde_json::to_value(quirk).unwrap(), json!(name));
    }
    assert_eq!(Quirk::named("nonsense"), None);
}
