//! Manifests that earlier versions wrote stay readable: a fixture for each version, never changed.
#![allow(clippy::unwrap_used)]

use pgkeep_keep::Manifest;

#[test]
fn a_manifest_of_version_1_is_read_and_written_the_same() {
    let json = include_bytes!("fixtures/manifest-v1.json");
    let manifest = Manifest::from_json(json, "fixture").unwrap();
    assert_eq!(manifest.dump.totals().0, 1000);
    assert_eq!(manifest.dump.large_objects.unwrap().bytes, 5);
    assert_eq!(String::from_utf8(manifest.to_json()).unwrap(), String::from_utf8(json.to_vec()).unwrap());
}

#[test]
fn fields_of_later_versions_are_passed_over() {
    let mut json: serde_json::Value =
        serde_json::from_slice(include_bytes!("fixtures/manifest-v1.json")).unwrap();
    json["new"] = true.into();
    json["dump"]["also_new"] = 1.into();
    assert!(Manifest::from_json(json.to_string().as_bytes(), "fixture").is_ok());
}
