//! What the build script makes of the component's copies of memory before it is compiled ahead of time.

#[path = "../build/copies.rs"]
mod copies;

use wasm_encoder::{
    CodeSection, Component, EntityType, Function, FunctionSection, ImportSection, MemorySection, MemoryType, Module,
    ModuleSection, TypeSection, ValType,
};
use wasmparser::{Operator, Parser, Payload, Validator, WasmFeatures};

/// A component of a module whose functions copy so often, some of it by a known length.
fn component(dynamic: &[usize], known: i32, has_memory: bool) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    types.ty().function([ValType::I32; 3], []);
    let mut imports = ImportSection::new();
    imports.import("a", "b", EntityType::Function(0));
    let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
    for copies in dynamic {
        functions.function(1);
        let mut function = Function::new([]);
        let mut body = function.instructions();
        for _ in 0..*copies {
            body.local_get(0).local_get(1).local_get(2).memory_copy(0, 0);
        }
        body.local_get(0).local_get(1).i32_const(known);
        if has_memory {
            body.memory_copy(0, 0)
        } else {
            body.drop().drop().drop()
        };
        body.end();
        code.function(&function);
    }
    let mut memories = MemorySection::new();
    if has_memory {
        let one = MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None };
        memories.memory(one);
    }
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&memories).section(&code);
    let mut component = Component::new();
    component.section(&ModuleSection(&module));
    component.finish()
}

/// How many copies and how many calls the functions of a component have, one after the other.
fn counts(component: &[u8]) -> Vec<(usize, usize)> {
    Validator::new_with_features(WasmFeatures::all()).validate_all(component).expect("a valid component");
    let bodies = Parser::new(0).parse_all(component).filter_map(|payload| match payload.expect("a component") {
        Payload::CodeSectionEntry(body) => Some(body),
        _ => None,
    });
    let count = |body: wasmparser::FunctionBody<'_>| {
        let operators: Vec<Operator<'_>> =
            body.get_operators_reader().expect("code").into_iter().collect::<Result<_, _>>().expect("operators");
        let of = |is: fn(&Operator<'_>) -> bool| operators.iter().filter(|operator| is(operator)).count();
        (
            of(|operator| matches!(operator, Operator::MemoryCopy { .. })),
            of(|operator| matches!(operator, Operator::Call { function_index: 4 })),
        )
    };
    bodies.map(count).collect()
}

#[test]
fn functions_with_many_copies_call_one_that_copies() {
    let made = copies::outlined(&component(&[6, 5, 300], 64, true)).expect("a component");
    assert_eq!(counts(&made), [(1, 6), (6, 0), (1, 300), (1, 0)]);
    let made = copies::outlined(&component(&[6, 4, 0], 4096, true)).expect("a component");
    assert_eq!(counts(&made), [(0, 7), (5, 0), (1, 0), (1, 0)]);
}

#[test]
fn modules_without_a_memory_stay_as_they_are() {
    let joining = component(&[0, 0, 0], 5, false);
    assert_eq!(copies::outlined(&joining).expect("a component"), joining);
}

#[test]
fn the_components_own_copies_become_calls_and_it_stays_valid() {
    let wasm = std::fs::read(env!("LLMIO_GATEWAY_WASM")).expect("the component, as build.rs built it");
    let made = copies::outlined(&wasm).expect("a component");
    let copies = |component: &[u8]| counts(component).iter().map(|(copies, _)| copies).sum::<usize>();
    assert!(copies(&made) < copies(&wasm), "{} of {}", copies(&made), copies(&wasm));
}
