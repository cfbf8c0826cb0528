//! The parts of WASI that the component imports, and no others. There is no way from it to files, sockets or other
//! programs, and what is not linked is not in the binary: files and sockets alone are 2 MB.

use crate::instance::State;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
use wasmtime_wasi::{p2, p3};
use wasmtime_wasi_io::IoView;

impl IoView for State {
    fn table(&mut self) -> &mut ResourceTable {
        State::table(self)
    }
}

/// Links what the component imports of WASI. An import that is missing here fails when the component is linked, at each
/// start.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    add_to_linker_for_std(linker)?;
    p3::bindings::cli::stdin::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    p3::bindings::clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(linker, State::clocks)?;
    p3::bindings::clocks::system_clock::add_to_linker::<_, WasiClocks>(linker, State::clocks)?;
    p3::bindings::random::random::add_to_linker::<_, WasiRandom>(linker, State::random)?;
    wasmtime_wasi_http::p3::add_to_linker(linker)
}

/// What Rust's standard library for wasm32-wasip2 imports: interfaces of WASI 0.2.
pub(crate) fn add_to_linker_for_std(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    use p2::bindings::cli;
    wasmtime_wasi_io::add_to_linker_async(linker)?;
    p2::bindings::random::insecure_seed::add_to_linker::<_, WasiRandom>(linker, State::random)?;
    cli::environment::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::stdin::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::stdout::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::stderr::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, State::cli)
}
