//! The one place where the engine is configured. `build.rs` includes this file to compile the component and the
//! binary to run it: wasmtime refuses a compiled component whose settings differ, so they must not be written twice.

use wasmtime::Config;

/// Settings that compiled code and runtime must share.
pub(crate) fn engine_config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    // A turn that does not end is trapped (see `instance/turn.rs`), since nothing else can stop a loop inside the
    // guest.
    config.epoch_interruption(true);
    // The first backtrace of a process parses the whole binary's unwind tables: 0.8 s for every stream of the thread.
    config.wasm_backtrace_max_frames(None);
    config.generate_address_map(false);
    // These tables are for debuggers of the host. wasmtime walks and unwinds its own stacks without them, and a musl
    // binary would register each of thousands of functions at its start.
    config.native_unwind_info(false);
    // Filled at once, a table of functions needs no check at each of the 3,000 places that call through it.
    config.table_lazy_init(false);
    config
}
