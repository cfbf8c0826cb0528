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

/// The same of Spin 2 and 3, as the component's WASI 0.2 build reads it too.
#[cfg(feature = "wasi-0-2")]
pub(crate) mod v2 {
    mod generated {
        wasmtime::component::bindgen!({
            path: "../gateway/p2/wit",
            world: "llmio:p2/imports",
            imports: { default: async | trappable },
            with: {
                "fermyon:spin/key-value.store": crate::host::key_value::Store,
                "fermyon:spin/sqlite.connection": crate::host::sqlite::Connection,
            },
        });
    }

    pub(crate) use generated::fermyon::spin::{key_value, sqlite, variables};
}

pub(crate) use generated::spin::key_value::key_value;
pub(crate) use generated::spin::sqlite::sqlite;
pub(crate) use generated::spin::variables::variables;
