//! The `avse` command.

use std::process::ExitCode;

use trainer_native::commands::Cli;

fn main() -> ExitCode {
    match Cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
