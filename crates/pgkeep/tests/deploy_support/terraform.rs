//! Terraform, on a copy of its files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pgkeep_testbed::Aws;
use tempfile::TempDir;

use super::file;

/// The provider's settings for an emulator.
const EMULATOR: &str = "provider \"aws\" {
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true
  max_retries                 = 2
}
";
/// A copy of the provider that comes with some machines; others ask the registry.
const MIRROR: &str = "/opt/tf-plugins";

/// A copy of `deploy/terraform`.
pub struct Terraform {
    copy: TempDir,
}

impl Terraform {
    pub fn new() -> Terraform {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&file("terraform"), copy.path());
        let mirror =
            format!("provider_installation {{\n  filesystem_mirror {{\n    path = \"{MIRROR}\"\n  }}\n}}\n");
        let settings = if Path::new(MIRROR).is_dir() { mirror } else { String::new() };
        fs::write(copy.path().join("terraform.rc"), settings).unwrap();
        Terraform { copy }
    }

    pub fn place(&self, folder: &str) -> PathBuf {
        self.copy.path().join(folder)
    }

    /// A command in one of its folders.
    pub fn command(&self, program: &str, folder: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.place(folder)).env("TF_CLI_CONFIG_FILE", self.place("terraform.rc"));
        command.env("TF_IN_AUTOMATION", "1").env("TF_CLI_ARGS", "-no-color");
        command
    }

    #[track_caller]
    pub fn run(&self, folder: &str, words: &[&str]) -> String {
        succeeded(&self.command("terraform", folder).args(words).output().expect("terraform runs"))
    }
}

/// A folder of it, to be applied to an emulated AWS.
pub struct Deployment {
    terraform: Terraform,
    folder: &'static str,
    pub aws: Aws,
}

impl Deployment {
    pub fn of(folder: &'static str, variables: &str) -> Deployment {
        Deployment::asking(folder, |_| variables.to_owned())
    }

    /// With variables that name what stands in the emulated AWS.
    pub fn asking(folder: &'static str, variables: impl FnOnce(&Aws) -> String) -> Deployment {
        let deployment = Deployment { terraform: Terraform::new(), folder, aws: Aws::start() };
        let place = deployment.terraform.place(folder);
        fs::write(place.join("emulator_override.tf"), EMULATOR).unwrap();
        fs::write(place.join("terraform.tfvars"), variables(&deployment.aws)).unwrap();
        fs::write(place.join("pgkeep-lambda.zip"), "a package").unwrap();
        deployment
    }

    /// A command in the folder, with the emulator in its environment.
    pub fn command(&self, program: &str) -> Command {
        let mut command = self.terraform.command(program, self.folder);
        command.envs(self.aws.environment());
        command
    }

    pub fn try_terraform(&self, words: &[&str]) -> Output {
        self.command("terraform").args(words).output().expect("terraform runs")
    }

    #[track_caller]
    pub fn terraform(&self, words: &[&str]) -> String {
        succeeded(&self.try_terraform(words))
    }

    #[track_caller]
    pub fn a_second_plan_is_empty(&self) {
        let plan = self.try_terraform(&["plan", "-detailed-exitcode", "-input=false"]);
        assert_eq!(plan.status.code(), Some(0), "{}", String::from_utf8_lossy(&plan.stdout));
    }
}

#[track_caller]
fn succeeded(out: &Output) -> String {
    let (said, error) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{said}\n{error}");
    said.into_owned()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            // What a `terraform init` by hand left.
            true if entry.file_name() == ".terraform" => {}
            true => copy_folder(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}
