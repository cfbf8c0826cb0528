//! Builds the gateway component for wasm32-wasip2, compiles it ahead of time and leaves both in `OUT_DIR`, so that
//! `cargo run` needs no second command and the binary carries no compiler. A cargo artifact dependency would be the
//! obvious way, but is not stable.

use anyhow::{Context, Result, anyhow, bail};
use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "build/copies.rs"]
mod copies;
#[path = "src/engine_config.rs"]
mod engine_config;

/// What the component is made of, as paths from the workspace root.
const SOURCES: [&str; 16] = [
    "gateway/core/src",
    "gateway/core/Cargo.toml",
    "gateway/console/assets",
    "gateway/console/build.rs",
    "gateway/console/Cargo.toml",
    "gateway/console/src",
    "gateway/console/templates",
    "gateway/import/Cargo.toml",
    "gateway/import/src",
    "gateway/docs/clients.md",
    "gateway/component/src",
    "gateway/component/Cargo.toml",
    "gateway/p2",
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
];

/// Variables of the outer cargo that change what or where an inner cargo builds.
const OUTER_VARIABLES: [&str; 13] = [
    "RUSTFLAGS",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_LINKER",
    "RUSTDOC",
    "RUSTDOCFLAGS",
    "TARGET",
    "HOST",
    "PROFILE",
    "OPT_LEVEL",
    "DEBUG",
    "OUT_DIR",
];

/// What makes the component one of WASI 0.2.
const WASI_0_2: [&str; 3] = ["--no-default-features", "--features", "wasi-0-2"];

/// Every host of WASI 0.3 has SIMD, and looking through large bodies is what a gateway does most. `spin.toml` says so too.
/// Hashing is better without: its shuffles of bytes are calls of the host where the code has to run on every x86-64.
const COMPONENT_FLAGS: &str =
    "target.wasm32-wasip2.rustflags=['-Ctarget-feature=+simd128', '--cfg=sha2_256_backend=\"soft\"']";

/// Quick routines for musl, whose own are slow.
const MEMORY_ROUTINES: &str = "src/musl/memory.c";

fn main() -> Result<()> {
    let root =
        PathBuf::from(variable("CARGO_MANIFEST_DIR")?).parent().context("runner has no parent folder")?.to_owned();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/copies.rs");
    println!("cargo::rerun-if-changed=src/engine_config.rs");
    println!("cargo::rerun-if-changed={MEMORY_ROUTINES}");
    println!("cargo::rerun-if-env-changed=LLMIO_GATEWAY_WASM_FILE");

    let out = PathBuf::from(variable("OUT_DIR")?);
    // A packager may build the component elsewhere (a reproducible image, say) and hand it in.
    let wasm = match env::var_os("LLMIO_GATEWAY_WASM_FILE") {
        Some(file) => {
            let file = PathBuf::from(file);
            println!("cargo::rerun-if-changed={}", file.display());
            file
        }
        None => {
            let (target, profile) = (target_folder(&out)?.join("gateway"), component_profile(&out)?);
            // First, since both builds leave a file of the same name.
            if env::var_os("CARGO_FEATURE_WASI_0_2").is_some() {
                let wasm = build_component(&root, &target, profile, &WASI_0_2)?;
                compile_ahead_of_time(&wasm, &out, "gateway-0.2")?;
            }
            build_component(&root, &target, profile, &[])?
        }
    };
    println!("cargo::rustc-env=LLMIO_GATEWAY_WASM={}", wasm.display());
    lay_down_for_spin(&wasm, &target_folder(&out)?)?;
    compile_memory_routines()?;
    compile_ahead_of_time(&wasm, &out, "gateway")
}

/// Compiles the routines twice: for the binary where it is linked with musl, and for their tests.
fn compile_memory_routines() -> Result<()> {
    let mut routines = cc::Build::new();
    routines.file(MEMORY_ROUTINES).opt_level(2).cargo_metadata(false);
    // Without these the compiler takes the loops for calls of the very functions they are.
    routines.flags(["-ffreestanding", "-fno-builtin"]).flag_if_supported("-fno-tree-loop-distribute-patterns");
    println!("cargo::rustc-link-search=native={}", variable("OUT_DIR")?);
    if variable("CARGO_CFG_TARGET_ENV")? == "musl" {
        routines.clone().compile("memory");
        // The whole of it, before the C library, which is searched only for what is still missing.
        println!("cargo::rustc-link-lib=static:+whole-archive=memory");
        // Half a megabyte less, which glibc before 2.36 could not load; here musl is in the binary.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
        fold_functions()?;
    }
    // The tests run where the C library has its own: under other names.
    routines.define("PREFIX", "tested_").compile("tested_memory");
    println!("cargo::rustc-link-lib=static=tested_memory");
    Ok(())
}

/// Lets functions of the same code be one, of which generic code makes many. Only LLVM's linker can; it comes with Rust, but
/// for musl a C compiler is asked to link, which has to be told where it is.
fn fold_functions() -> Result<()> {
    let sysroot = Command::new(variable("RUSTC")?).args(["--print", "sysroot"]).output()?.stdout;
    let linkers = format!("{}/lib/rustlib/{}/bin/gcc-ld", String::from_utf8(sysroot)?.trim_end(), variable("HOST")?);
    if Path::new(&linkers).join("ld.lld").exists() {
        for argument in [format!("-B{linkers}").as_str(), "-fuse-ld=lld", "-Wl,--icf=all"] {
            println!("cargo::rustc-link-arg-bins={argument}");
        }
    }
    Ok(())
}

/// `<target>[/<triple>]/<profile>` from `…/<profile>/build/runner-<hash>/out`; no variable holds it.
fn profile_folder(out: &Path) -> Result<&Path> {
    out.ancestors().nth(3).context("OUT_DIR is not where cargo puts it")
}

/// `cargo run --release` is for a first look and has to be there soon. The tests, which are built as `debug`, run the very
/// component that `dist` ships.
fn component_profile(out: &Path) -> Result<&'static str> {
    let name = profile_folder(out)?.file_name().context("OUT_DIR is not where cargo puts it")?;
    Ok(if name == "release" { "gateway-quick" } else { "gateway" })
}

fn target_folder(out: &Path) -> Result<PathBuf> {
    let mut target = profile_folder(out)?.parent().context("OUT_DIR is not where cargo puts it")?;
    if target.file_name() == Some(variable("TARGET")?.as_ref()) {
        target = target.parent().context("OUT_DIR is not where cargo puts it")?;
    }
    Ok(target.to_owned())
}

/// Runs the inner cargo in a target folder of its own: the outer cargo holds the lock of the usual one.
fn build_component(root: &Path, target: &Path, profile: &str, features: &[&str]) -> Result<PathBuf> {
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.current_dir(root);
    cargo.args(["build", "--package", "gateway", "--profile", profile, "--target", "wasm32-wasip2"]);
    cargo.arg("--target-dir").arg(target).args(["--config", COMPONENT_FLAGS]).args(features);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let kept = text == "CARGO_HOME"
            || ["CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR"].iter().any(|prefix| text.starts_with(prefix));
        if (text.starts_with("CARGO_") && !kept) || OUTER_VARIABLES.contains(&text.as_ref()) {
            cargo.env_remove(&name);
        }
    }
    let status = cargo.status().context("cargo could not be started")?;
    if !status.success() {
        bail!("the component did not build; if the target is missing: rustup target add wasm32-wasip2");
    }
    Ok(target.join("wasm32-wasip2").join(profile).join("gateway.wasm"))
}

/// Puts the component where `spin.toml` looks for it and `spin build` leaves it, so that `spin up` works after a build of the
/// runner too. What lies there may be one file with cargo's own copy, so it is replaced and not written over.
fn lay_down_for_spin(wasm: &Path, target: &Path) -> Result<()> {
    let folder = target.join("wasm32-wasip2/gateway");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let (draft, place) = (folder.join("gateway.wasm.new"), folder.join("gateway.wasm"));
    fs::copy(wasm, &draft).with_context(|| format!("{} cannot be copied", wasm.display()))?;
    fs::rename(draft, place)?;
    Ok(())
}

/// Compiles unless this very wasm was compiled by this very wasmtime before: clippy and test builds run this too.
fn compile_ahead_of_time(wasm: &Path, out: &Path, name: &str) -> Result<()> {
    let bytes = fs::read(wasm).with_context(|| format!("{} cannot be read", wasm.display()))?;
    let mut hasher = DefaultHasher::new();
    (
        &bytes,
        env!("CARGO_PKG_VERSION"),
        include_str!("src/engine_config.rs"),
        include_str!("Cargo.toml"),
        include_str!("build.rs"),
        include_str!("build/copies.rs"),
    )
        .hash(&mut hasher);
    let fingerprint = format!("{:016x}", hasher.finish());
    let (compiled, mark) = (out.join(format!("{name}.cwasm")), out.join(format!("{name}.fingerprint")));
    if compiled.exists() && fs::read_to_string(&mark).is_ok_and(|seen| seen == fingerprint) {
        return Ok(());
    }
    let outlined = copies::outlined(&bytes)?;
    // wasmtime's error type is no std error.
    let code = compile(&outlined).map_err(|error| anyhow!("{} cannot be compiled: {error:#}", wasm.display()))?;
    let code = without_symbols(&code).context("wasmtime writes another form of ELF than it did")?;
    fs::write(compiled, code)?;
    fs::write(mark, fingerprint)?;
    Ok(())
}

fn compile(wasm: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let mut config = engine_config::engine_config();
    // Naming the target keeps to its baseline: without it the code would need every feature of the building CPU.
    config.target(&env::var("TARGET")?)?;
    wasmtime::Engine::new(&config)?.precompile_component(wasm)
}

const SECTION_OFFSET: Range<usize> = 0x18..0x20;
const SECTION_SIZE: Range<usize> = 0x20..0x28;
const TABLE_OFFSET: Range<usize> = 0x28..0x30;
const SYMBOLS: u8 = 2;
const STRINGS: u8 = 3;

/// Compiled code without its symbol table, a quarter of a megabyte that only debuggers of the host would read. The table and
/// its names are the last sections but one, which has the names of the sections.
fn without_symbols(elf: &[u8]) -> Option<Vec<u8>> {
    let number =
        |from: &[u8], at: Range<usize>| usize::try_from(u64::from_le_bytes(from.get(at)?.try_into().ok()?)).ok();
    let short = |at: usize| Some(usize::from(u16::from_le_bytes(elf.get(at..at + 2)?.try_into().ok()?)));
    let (table, header_bytes, names) = (number(elf, TABLE_OFFSET)?, short(0x3a)?, short(0x3e)?);
    let mut headers: Vec<Vec<u8>> = elf.get(table..)?.chunks_exact(header_bytes).map(<[u8]>::to_vec).collect();
    let place = |header: &[u8]| {
        let offset = number(header, SECTION_OFFSET)?;
        Some(offset..offset + number(header, SECTION_SIZE)?)
    };
    let is_dropped = |(index, header): (usize, &Vec<u8>)| {
        header.get(4) == Some(&SYMBOLS) || (header.get(4) == Some(&STRINGS) && index != names)
    };
    let kept_to = |(index, header): (usize, &Vec<u8>)| {
        if index == names || is_dropped((index, header)) { Some(0) } else { Some(place(header)?.end) }
    };
    let end = headers.iter().enumerate().map(kept_to).collect::<Option<Vec<_>>>()?.into_iter().max()?;
    let section_names = elf.get(place(headers.get(names)?)?)?;
    let mut smaller = elf.get(..end)?.to_vec();
    for index in 0..headers.len() {
        if is_dropped((index, headers.get(index)?)) {
            headers.get_mut(index)?.fill(0);
        }
    }
    headers.get_mut(names)?.get_mut(SECTION_OFFSET)?.copy_from_slice(&(end as u64).to_le_bytes());
    smaller.extend_from_slice(section_names);
    smaller.resize(smaller.len().next_multiple_of(8), 0);
    let table = smaller.len() as u64;
    smaller.get_mut(TABLE_OFFSET)?.copy_from_slice(&table.to_le_bytes());
    smaller.extend(headers.into_iter().flatten());
    Some(smaller)
}

fn variable(name: &str) -> Result<String> {
    env::var(name).with_context(|| format!("{name} is not set; cargo sets it for build scripts"))
}
