//! Generated from `wit/`: the traits `host/*` implement. wasi itself comes ready-made from the wasmtime crates.

mod generated {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "llmio:host/host",
        imports: { default: trappable },
        with: {
            "spin:key-value/key-value.store": crate::host::key_value::Store,
            "spin:sqlite/sqlite.connection": crate::host::sqlite::Connection,
        },
    });
}

pub(crate) use generated::spin::key_value::key_value;
pub(crate) use generated::spin::sqlite::sqlite;
pub(crate) use generated::spin::variables::variables;
