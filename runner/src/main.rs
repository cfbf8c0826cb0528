//! `llmio`: parse, start, exit code. The native host of the gateway component; what the gateway decides is not here.

mod admin;
mod backup;
mod bindings;
mod call;
mod catalog_file;
mod clock;
mod commands;
mod data_folder;
mod descriptors;
mod engine;
mod engine_config;
mod exit;
mod framing;
mod gateway;
mod greeting;
mod hop_by_hop;
mod host;
mod inbound;
mod instance;
mod language;
mod log;
mod memory;
mod options;
mod pages;
mod shutdown;
mod start;
mod token;
mod wasi;
mod worker;

use clap::Parser;
use exit::Exit;
use options::{Command, Options};
use std::io::Write;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match options.command.unwrap_or(Command::Serve) {
        Command::Serve => commands::serve::run(&options.settings),
        Command::Init(arguments) => commands::init::run(&options.settings, &arguments),
        Command::Import(arguments) => commands::import::run(&options.settings, &arguments),
        Command::Backup(arguments) => commands::backup::backup(&options.settings, &arguments),
        Command::Restore(arguments) => commands::backup::restore(&options.settings, &arguments),
        Command::Doctor(arguments) => commands::doctor::run(&options.settings, &arguments),
        Command::Token => commands::token::run(&options.settings),
        Command::Bench(command) => commands::bench::run(&command),
        Command::Health(arguments) => commands::health::run(&options.settings, arguments),
        Command::Catalog(command) => commands::catalog::run(&options.settings, command),
        Command::Keys(command) => commands::keys::run(&options.settings, command),
        Command::Quota(arguments) => commands::quota::run(&options.settings, arguments),
        Command::Test(arguments) => commands::test::run(&options.settings, &arguments),
        Command::Route(arguments) => commands::route::run(&options.settings, &arguments),
        Command::Records(arguments) => commands::records::run(&options.settings, arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = error.downcast_ref::<Exit>().map_or(1, |exit| exit.code);
            let _ = writeln!(std::io::stderr(), "llmio: {error:#}");
            ExitCode::from(code)
        }
    }
}
