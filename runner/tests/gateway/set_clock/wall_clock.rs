//! A library that is loaded before others: the wall clock plus the seconds in a file. No other clock is touched, as when
//! somebody sets the wall clock. It is compiled by the test that uses it.

use std::ffi::{c_char, c_int, c_long, c_void};
use std::sync::OnceLock;

/// `RTLD_NEXT`: whoever comes after this library.
const NEXT: *mut c_void = -1_isize as *mut c_void;
const REALTIME: c_int = 0;

type Gettime = unsafe extern "C" fn(c_int, *mut Time) -> c_int;

/// `struct timespec` of 64-bit systems.
#[repr(C)]
pub struct Time {
    seconds: i64,
    nanoseconds: c_long,
}

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// # Safety
///
/// As that of the C library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: c_int, time: *mut Time) -> c_int {
    static TRUE: OnceLock<usize> = OnceLock::new();
    // SAFETY: it is the C library's function of this name.
    let gettime: Gettime = unsafe {
        let address = *TRUE.get_or_init(|| dlsym(NEXT, c"clock_gettime".as_ptr()) as usize);
        std::mem::transmute::<usize, Gettime>(address)
    };
    // SAFETY: the caller's promise.
    let done = unsafe { gettime(clock, time) };
    if done == 0 && clock == REALTIME {
        // SAFETY: it was just written to.
        unsafe { (*time).seconds += set_by() };
    }
    done
}

fn set_by() -> i64 {
    let file = std::env::var_os("LLMIO_TEST_CLOCK").unwrap_or_default();
    std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
