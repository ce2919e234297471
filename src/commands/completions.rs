//! `completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{cli::Cli, exit::Exit};

/// Prints the shell's completion script.
pub fn run(shell: Shell) -> miette::Result<Exit> {
    super::print(&script(shell))?;
    Ok(Exit::Good)
}

fn script(shell: Shell) -> String {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use jobs::{destination::Vendor, outcome::DeadClass};

    use super::*;

    #[test]
    fn values_that_never_change_are_completed() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell);
            let lists: Vec<&str> = script
                .lines()
                .filter(|line| line.contains("stale") && line.contains("unmatched"))
                .collect();
            // fish has a value a line.
            let text = match shell {
                Shell::Fish => script.as_str(),
                _ => lists.first().unwrap(),
            };
            for class in DeadClass::ALL {
                assert!(text.contains(class.as_str()), "{shell}: {class}");
            }
            for vendor in Vendor::ALL {
                assert!(script.contains(vendor.as_str()), "{shell}: {vendor}");
            }
            assert!(
                script.contains("groups") && script.contains("schema"),
                "{shell}"
            );
        }
    }
}
