//! Any text is a valid catalog or is refused with its problems.
#![no_main]

use gateway_core::catalog::Document;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(document) = Document::from_toml(text) {
        let _ = document.validate();
    }
});
