//! `pgkeep completions` and the manual page, both from the CLI's definition.

use clap::{CommandFactory, Parser};

use crate::failure::{Exit, Failure, Result};

/// Options of `completions`.
#[derive(Parser)]
pub(super) struct Options {
    /// The shell
    shell: clap_complete::Shell,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let mut out = Vec::new();
    clap_complete::generate(options.shell, &mut super::Cli::command(), "pgkeep", &mut out);
    write(&out)
}

pub(super) fn man() -> Result<()> {
    let mut out = Vec::new();
    let mut command = super::Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut out).map_err(failed)?;
    for sub in command.get_subcommands().filter(|s| !s.is_hide_set() && s.get_name() != "help") {
        let man = clap_mangen::Man::new(sub.clone()).title(format!("pgkeep {}", sub.get_name()));
        man.render_synopsis_section(&mut out).map_err(failed)?;
        man.render_description_section(&mut out).map_err(failed)?;
        man.render_options_section(&mut out).map_err(failed)?;
    }
    write(&out)
}

fn write(out: &[u8]) -> Result<()> {
    use std::io::{ErrorKind, Write};
    match std::io::stdout().write_all(out) {
        // A reader that goes away is no error.
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(failed(e)),
        _ => Ok(()),
    }
}

fn failed(e: std::io::Error) -> Failure {
    Failure::new(Exit::Failed, "failed", format!("writing to standard output: {e}"))
}
