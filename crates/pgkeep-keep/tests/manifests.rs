//! Manifests that earlier versions wrote stay readable: a fixture for each version, never changed.
#![allow(clippy::unwrap_used)]

use pgkeep_keep::Manifest;

#[test]
fn a_manifest_of_version_1_is_read_and_written_the_same() {
    let json = include_bytes!("fixtures/manifest-v1.json");
    let manifest = Manifest::from_json(json, "fixture").unwrap();
    assert_eq!(manifest.dump.totals().0, 1000);
    assert_eq!(manifest.dump.large_objects.unwrap().bytes, 5);
    let written = String::from_utf8(manifest.to_json()).unwrap();
    let (fields, digest) = written.rsplit_once(",\n  \"digest\": ").unwrap();
    assert_eq!(format!("{fields}\n}}\n"), String::from_utf8(json.to_vec()).unwrap());
    assert_eq!(digest.len(), 64 + 5, "the version's first manifests had no digest");
}

#[test]
fn a_manifest_that_was_edited_is_refused() {
    let manifest = Manifest::from_json(include_bytes!("fixtures/manifest-v1.json"), "fixture").unwrap();
    let json = String::from_utf8(manifest.to_json()).unwrap();
    assert_eq!(Manifest::from_json(json.as_bytes(), "x").unwrap(), manifest);
    let edited = json.replacen("\"rows\": 1000", "\"rows\": 1001", 1);
    assert_ne!(edited, json);
    let e = Manifest::from_json(edited.as_bytes(), "x").unwrap_err().to_string();
    assert!(e.contains("edited or damaged after it was written"), "{e}");
}

#[test]
fn fields_of_later_versions_are_passed_over() {
    let mut json: serde_json::Value =
        serde_json::from_slice(include_bytes!("fixtures/manifest-v1.json")).unwrap();
    json["new"] = true.into();
    json["dump"]["also_new"] = 1.into();
    assert!(Manifest::from_json(json.to_string().as_bytes(), "fixture").is_ok());
}
