//! The component runs under Spin 4.1 as well: it may import nothing that Spin does not provide. Read from the built
//! component itself, since what a dependency imports stands in no manifest.

use std::fs;

use wasmparser::{Parser, Payload};

/// Built and named by `build.rs`.
const COMPONENT: &str = env!("LLMIO_GATEWAY_WASM");

const BUILD: &str = "cargo build --package gateway --profile gateway --target wasm32-wasip2";

/// What the SDK's interfaces are called without their version.
const WASI: [&str; 7] = ["http", "cli", "clocks", "random", "io", "filesystem", "sockets"];

const SPIN: [&str; 3] =
    ["spin:key-value/key-value@3.0.0", "spin:sqlite/sqlite@3.1.0", "spin:variables/variables@3.0.0"];

fn component() -> Vec<u8> {
    fs::read(COMPONENT).unwrap_or_else(|error| panic!("{COMPONENT}: {error}; build it with: {BUILD}"))
}

/// The names of a component's own imports; what the components inside it import of each other is their affair.
fn imports(component: &[u8]) -> Vec<String> {
    let mut depth = 0;
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        match payload.expect("a valid component") {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                names.extend(section.into_iter().map(|import| import.expect("an import").name.name.to_owned()));
            }
            _ => {}
        }
    }
    names
}

fn is_provided_by_spin(import: &str) -> bool {
    let Some((package, version)) = import.strip_prefix("wasi:").and_then(|rest| rest.split_once('@')) else {
        return SPIN.contains(&import);
    };
    let package = package.split('/').next().unwrap_or_default();
    // Later patch releases of a WASI package may need something that Spin does not have yet; it has 0.3.0.
    WASI.contains(&package) && (version.starts_with("0.2.") || version == "0.3.0")
}

#[test]
fn the_component_imports_only_what_spin_provides() {
    let imports = imports(&component());
    let foreign: Vec<&String> = imports.iter().filter(|import| !is_provided_by_spin(import)).collect();
    assert!(foreign.is_empty(), "Spin 4.1 cannot instantiate it: {foreign:?}");
    for needed in ["wasi:http/client@0.3.0", SPIN[0], SPIN[1], SPIN[2]] {
        assert!(
            imports.iter().any(|import| import == needed),
            "{needed} is not among {imports:?}: is this the gateway?"
        );
    }
}

#[test]
fn an_interface_spin_lacks_is_told_from_one_it_has() {
    for import in ["wasi:http/types@0.3.0", "wasi:io/streams@0.2.6", "spin:sqlite/sqlite@3.1.0"] {
        assert!(is_provided_by_spin(import), "{import}");
    }
    for import in
        ["wasi:otel/tracing@0.2.0", "wasi:http/types@0.3.1", "spin:sqlite/sqlite@3.2.0", "llmio:host/tail@1.0.0", "env"]
    {
        assert!(!is_provided_by_spin(import), "{import}");
    }
}
