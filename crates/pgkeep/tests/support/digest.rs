//! The digests of a manifest, computed with `split` and `sha256sum`.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::succeed;

/// Fails unless the manifest's object record fits the file.
#[track_caller]
pub fn assert_digests(object: &Value, file: &Path) {
    let size = std::fs::metadata(file).unwrap().len();
    assert_eq!(object["size"].as_u64(), Some(size));
    let dir = tempfile::tempdir().unwrap();
    let mut split = Command::new("split");
    split.args(["-a", "6", "-b", &object["part_size"].to_string()]).arg(file).arg("part-");
    succeed(split.current_dir(dir.path()));
    let parts = sha256sum(Command::new("sh").arg("-c").arg("sha256sum part-*").current_dir(dir.path()));
    let recorded: Vec<&str> =
        object["parts"].as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect();
    assert_eq!(parts, recorded, "each part's own digest");
    let composite = if let [one] = &parts[..] {
        one.clone()
    } else {
        // Over the digests as bytes.
        let hex = parts.concat();
        let program = "import sys, hashlib; print(hashlib.sha256(bytes.fromhex(sys.argv[1])).hexdigest())";
        String::from_utf8(succeed(Command::new("python3").args(["-c", program, &hex])))
            .unwrap()
            .trim()
            .to_owned()
    };
    assert_eq!(object["sha256"].as_str(), Some(composite.as_str()), "the composite digest");
}

#[track_caller]
fn sha256sum(command: &mut Command) -> Vec<String> {
    let out = String::from_utf8(succeed(command)).unwrap();
    out.lines().map(|l| l.split_whitespace().next().unwrap().to_owned()).collect()
}
