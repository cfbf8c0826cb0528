//! The memory routines of the static build (`src/musl/memory.c`) against plain loops. They are linked here under other
//! names: this machine's C library has its own, and a test could not tell which it called.

#![expect(unsafe_code, reason = "C functions on raw pointers are what is tested")]

use std::cmp::Ordering;
use std::ffi::{c_int, c_void};

unsafe extern "C" {
    fn tested_memmove(to: *mut c_void, from: *const c_void, size: usize) -> *mut c_void;
    fn tested_memcpy(to: *mut c_void, from: *const c_void, size: usize) -> *mut c_void;
    fn tested_memcmp(left: *const c_void, right: *const c_void, size: usize) -> c_int;
    fn tested_bcmp(left: *const c_void, right: *const c_void, size: usize) -> c_int;
}

/// Beyond the largest size with code of its own, and beyond two rounds of the loop behind it.
const SIZES: std::ops::Range<usize> = 0..300;
const ROOM: usize = 700;

/// Bytes that differ from their neighbours.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from((index * 7 + index / 256) % 251).expect("below 251")).collect()
}

#[test]
fn memmove_moves_any_size_to_any_distance_and_touches_nothing_else() {
    for size in SIZES {
        for (from, to) in (0..40).map(|at| (at, 20)).chain([(0, 350), (350, 3), (17, 17 + size), (size + 9, 9)]) {
            let mut moved = bytes(ROOM);
            let mut expected = moved.clone();
            expected.copy_within(from..from + size, to);
            let base = moved.as_mut_ptr();
            // SAFETY: both ranges end before `ROOM`, and memmove's may overlap.
            let returned = unsafe { tested_memmove(base.add(to).cast(), base.add(from).cast(), size) };
            assert_eq!(moved, expected, "{size} bytes from {from} to {to}");
            assert_eq!(returned, base.wrapping_add(to).cast(), "it returns where it wrote");
        }
    }
}

#[test]
fn memcpy_copies_any_size_at_any_alignment() {
    for size in SIZES {
        for (from, to) in (0..17).flat_map(|from| [(from, 0), (from, 5), (from, 16)]) {
            let source = bytes(ROOM);
            let mut copied = vec![255; ROOM];
            let mut expected = copied.clone();
            expected[to..to + size].copy_from_slice(&source[from..from + size]);
            // SAFETY: both ranges end before `ROOM`, in different allocations.
            unsafe { tested_memcpy(copied.as_mut_ptr().add(to).cast(), source.as_ptr().add(from).cast(), size) };
            assert_eq!(copied, expected, "{size} bytes from {from} to {to}");
        }
    }
}

fn compared(left: &[u8], right: &[u8]) -> (Ordering, bool) {
    assert_eq!(left.len(), right.len());
    // SAFETY: both are as long as is said.
    let (order, differ) = unsafe {
        (
            tested_memcmp(left.as_ptr().cast(), right.as_ptr().cast(), left.len()),
            tested_bcmp(left.as_ptr().cast(), right.as_ptr().cast(), left.len()),
        )
    };
    (order.cmp(&0), differ == 0)
}

#[test]
fn memcmp_and_bcmp_find_the_first_byte_that_differs() {
    for size in SIZES {
        let (left, mut right) = (bytes(size + 3), bytes(size + 3));
        assert_eq!(compared(&left[3..], &right[3..]), (Ordering::Equal, true), "{size} equal bytes");
        for at in 0..size {
            for other in [left[3 + at] ^ 0x80, left[3 + at].wrapping_add(1)] {
                right[3 + at] = other;
                // What follows differs the other way round, and must not count.
                right[3 + size - 1] = if at + 1 < size { !other } else { other };
                let expected = left[3..].cmp(&right[3..]);
                assert_eq!(compared(&left[3..], &right[3..]), (expected, false), "byte {at} of {size}");
                right[3 + at] = left[3 + at];
                right[3 + size - 1] = left[3 + size - 1];
            }
        }
    }
}
