//! `spin.toml`: what it names is there after a build of the runner as after one of its own, and is built in the same way.

use std::fs;
use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository")
}

fn manifest(name: &str) -> toml::Table {
    fs::read_to_string(root().join(name)).expect("a manifest").parse().expect("TOML")
}

fn component() -> toml::Table {
    manifest("spin.toml")["component"]["gateway"].as_table().expect("the component").clone()
}

/// The word behind a flag of the build command.
fn flag<'a>(command: &'a str, name: &str) -> &'a str {
    let rest = command.split_once(name).unwrap_or_else(|| panic!("no {name}: {command}")).1;
    rest.trim_start().split(' ').next().unwrap_or_default()
}

#[test]
fn what_spin_up_looks_for_is_there_after_a_build_of_the_runner() {
    let component = component();
    let source = component["source"].as_str().expect("a source");
    let below = source.strip_prefix("target/").expect("in cargo's folder");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("cargo's folder");
    let wasm = fs::read(target.join(below)).unwrap_or_else(|error| panic!("{below}: {error}"));
    assert!(wasm.starts_with(b"\0asm"), "{} bytes", wasm.len());
}

#[test]
fn spin_build_leaves_its_component_where_spin_up_looks() {
    let component = component();
    let command = component["build"]["command"].as_str().expect("a command");
    let (target, profile) = (flag(command, "--target "), flag(command, "--profile "));
    assert_eq!(component["source"].as_str(), Some(format!("target/{target}/{profile}/gateway.wasm").as_str()));
    assert_eq!(flag(command, "-p "), "gateway");
}

/// The runner has one more, for code that is compiled ahead of time for every x86-64; Spin compiles for the machine it is on.
#[test]
fn spin_builds_the_component_with_flags_that_the_runner_has_too() {
    let component = component();
    let command = component["build"]["command"].as_str().expect("a command");
    let build = fs::read_to_string(root().join("runner/build.rs")).expect("build.rs");
    let (_, flags) = command.split_once("--config \"").expect("flags");
    let flags = flags.strip_suffix("]\"").expect("the end of the flags");
    assert!(flags.starts_with("target.wasm32-wasip2.rustflags=['-C"), "{flags}");
    assert!(build.contains(&format!("\"{flags},")) || build.contains(&format!("\"{flags}]")), "{flags}");
}

/// Names of commands are keys of a configuration, where a dot would begin a table within a table.
#[test]
fn cargo_knows_the_command_that_builds_for_wasi_0_2() {
    let manifest = manifest("spin-0.2.toml");
    let command = manifest["component"]["gateway"]["build"]["command"].as_str().expect("a command").to_owned();
    let name = command.strip_prefix("cargo ").expect("a command of cargo");
    let help = Command::new(env!("CARGO")).args([name, "--help"]).current_dir(root()).output().expect("cargo");
    assert!(help.status.success(), "{}", String::from_utf8_lossy(&help.stderr));
}

/// Of the two only the component and the way to it differ.
#[test]
fn the_manifest_for_wasi_0_2_differs_in_its_component_alone() {
    let (mut newer, mut older) = (manifest("spin.toml"), manifest("spin-0.2.toml"));
    let source = older["component"]["gateway"]["source"].as_str().expect("a source").to_owned();
    assert_eq!(older["component"]["gateway"]["build"]["command"].as_str(), Some("cargo build-wasi-0-2"));
    let aliases = manifest(".cargo/config.toml");
    let words = aliases["alias"]["build-wasi-0-2"].as_array().expect("a command");
    let command = words.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(" ");
    let folder = flag(&command, "--target-dir ");
    let (target, profile) = (flag(&command, "--target "), flag(&command, "--profile "));
    assert_eq!(source, format!("{folder}/{target}/{profile}/gateway.wasm"));
    assert!(command.contains("--no-default-features --features wasi-0-2"), "{command}");
    assert!(component()["build"]["command"].as_str().is_some_and(|newer| newer.contains(flag(&command, "--config "))));
    for manifest in [&mut newer, &mut older] {
        let component = manifest["component"]["gateway"].as_table_mut().expect("the component");
        component.remove("source");
        component["build"].as_table_mut().expect("its build").remove("command");
    }
    assert_eq!(newer, older);
}
