//! Makes calls of one function of the component's copies of memory. For each, cranelift writes checks of both ranges and of
//! the epoch and a call of the host, 150 bytes at thousands of places. Most of them are in long functions that hardly run,
//! and those are what is changed: 0.34 MB less for 1 % more instructions. Where copying is what a function is for, it stays.

use anyhow::{Context, Result};
use std::ops::Range;
use wasm_encoder::{CodeSection, ComponentSectionId, Encode, Function, InstructionSink, SectionId};
use wasmparser::{BinaryReader, CompositeInnerType, FunctionBody, Operator, Parser, Payload, TypeRef, ValType};

/// Magic number and version, with which components and modules begin.
const PREAMBLE: usize = 8;

/// A function with so many copies does other things as well.
const MANY: usize = 6;

/// Cranelift copies so much without help if the length is known.
const INLINE_MAX: i32 = 128;

/// The component with its copies as calls.
pub(crate) fn outlined(component: &[u8]) -> Result<Vec<u8>> {
    with_sections(component, |id, body| {
        let is_module = id == ComponentSectionId::CoreModule as u8;
        if is_module { module(body) } else { Ok(body.to_vec()) }
    })
}

/// The sections of a binary, each as it is made anew, behind what the binary begins with.
fn with_sections(binary: &[u8], mut change: impl FnMut(u8, &[u8]) -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    let (preamble, sections) = binary.split_at_checked(PREAMBLE).context("the binary is cut")?;
    let mut changed = preamble.to_vec();
    let mut reader = BinaryReader::new(sections, 0);
    while !reader.eof() {
        let id = reader.read_u8()?;
        let bytes = reader.read_var_u32()? as usize;
        let body = change(id, reader.read_bytes(bytes)?)?;
        changed.push(id);
        body.encode(&mut changed);
    }
    Ok(changed)
}

fn module(module: &[u8]) -> Result<Vec<u8>> {
    let Some((signature, function)) = place(module)? else { return Ok(module.to_vec()) };
    with_sections(module, |id, body| {
        if id == SectionId::Function as u8 {
            let mut reader = BinaryReader::new(body, 0);
            let mut functions = Vec::new();
            (reader.read_var_u32()? + 1).encode(&mut functions);
            functions.extend_from_slice(reader.read_bytes(reader.bytes_remaining())?);
            signature.encode(&mut functions);
            Ok(functions)
        } else if id == SectionId::Code as u8 {
            code(body, function)
        } else {
            Ok(body.to_vec())
        }
    })
}

/// The type of a function that copies, and the index of the next function; `None` in a module without a memory, which only
/// joins others.
fn place(module: &[u8]) -> Result<Option<(u32, u32)>> {
    let (mut signature, mut functions, mut memories) = (None, 0, 0);
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::TypeSection(groups) => {
                for (index, group) in (0..).zip(groups) {
                    let types = group?.into_types().collect::<Vec<_>>();
                    let [only] = types.as_slice() else { return Ok(None) };
                    if let CompositeInnerType::Func(of) = &only.composite_type.inner
                        && of.params() == [ValType::I32; 3]
                        && of.results().is_empty()
                    {
                        signature.get_or_insert(index);
                    }
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    functions += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::FunctionSection(own) => functions += own.count(),
            Payload::MemorySection(own) => memories = own.count(),
            _ => {}
        }
    }
    Ok(signature.filter(|_| memories == 1).map(|signature| (signature, functions)))
}

/// The bodies of the functions with their copies as calls of the function of this index, which comes last.
fn code(section: &[u8], function: u32) -> Result<Vec<u8>> {
    let mut reader = BinaryReader::new(section, 0);
    let mut bodies = CodeSection::new();
    for _ in 0..reader.read_var_u32()? {
        let bytes = reader.read_var_u32()? as usize;
        bodies.raw(&calling(reader.read_bytes(bytes)?, function)?);
    }
    bodies.function(&copying());
    let mut counted = Vec::new();
    bodies.encode(&mut counted);
    // What a section is encoded as begins with its length, which is written for all sections alike.
    let mut encoded = BinaryReader::new(&counted, 0);
    encoded.read_var_u32()?;
    Ok(encoded.read_bytes(encoded.bytes_remaining())?.to_vec())
}

fn calling(body: &[u8], function: u32) -> Result<Vec<u8>> {
    let copies = copies(body)?;
    if copies.len() < MANY {
        return Ok(body.to_vec());
    }
    let (mut changed, mut from) = (Vec::new(), 0);
    for copy in copies {
        changed.extend_from_slice(body.get(from..copy.start).context("copies come one after the other")?);
        InstructionSink::new(&mut changed).call(function);
        from = copy.end;
    }
    changed.extend_from_slice(body.get(from..).context("copies are part of their function")?);
    Ok(changed)
}

/// Where a function copies what cranelift does not do without help.
fn copies(body: &[u8]) -> Result<Vec<Range<usize>>> {
    let mut operators = FunctionBody::new(BinaryReader::new(body, 0)).get_operators_reader()?;
    let (mut found, mut length) = (Vec::new(), None);
    while !operators.eof() {
        let (operator, start) = operators.read_with_offset()?;
        if matches!(operator, Operator::MemoryCopy { .. })
            && !length.is_some_and(|bytes| (0..=INLINE_MAX).contains(&bytes))
        {
            found.push(start..operators.original_position());
        }
        length = if let Operator::I32Const { value } = operator { Some(value) } else { None };
    }
    Ok(found)
}

/// Copies, given where to, where from and how much.
fn copying() -> Function {
    let mut function = Function::new([]);
    function.instructions().local_get(0).local_get(1).local_get(2).memory_copy(0, 0).end();
    function
}
