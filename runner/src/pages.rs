//! The pages of the binary. The start reads nearly all of it, and most of that never again; what is given back is mapped anew,
//! from the file or the system's cache of it, where somebody does.

use rustix::mm::{Advice, madvise};
use std::fs;
use std::ops::Range;

/// Gives back the pages of the binary's code, and of `embedded`, which is a part of the binary that nothing writes to.
pub(crate) fn give_back(embedded: &'static [u8]) {
    let here = give_back as fn(&'static [u8]) as usize;
    let code = fs::read_to_string("/proc/self/maps").ok().and_then(|maps| code_around(&maps, here));
    let embedded = embedded.as_ptr_range();
    for pages in [code, Some(embedded.start.addr()..embedded.end.addr())].into_iter().flatten() {
        forget(whole(&pages));
    }
}

/// The mapping that holds the code at this address.
fn code_around(maps: &str, address: usize) -> Option<Range<usize>> {
    maps.lines().find_map(|line| {
        let mut columns = line.split_ascii_whitespace();
        let (start, end) = columns.next()?.split_once('-')?;
        let range = usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
        // What was ever writable may have been written to.
        (range.contains(&address) && columns.next() == Some("r-xp")).then_some(range)
    })
}

/// The whole pages within a range.
fn whole(range: &Range<usize>) -> Range<usize> {
    let page = rustix::param::page_size();
    let end = range.end / page * page;
    range.start.next_multiple_of(page).min(end)..end
}

#[expect(unsafe_code, reason = "advice about memory is unsafe by nature; see below")]
fn forget(pages: Range<usize>) {
    // SAFETY: these are private mappings of a file that were never written to, so that the next access finds what was
    // there. If the advice is not taken, nothing has changed.
    unsafe {
        let _ = madvise(std::ptr::with_exposed_provenance_mut(pages.start), pages.len(), Advice::LinuxDontNeed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_found_and_only_where_it_is() {
        let maps = "1000-3000 r--p 00000000 fe:00 1 /llmio\n3000-9000 r-xp 00002000 fe:00 1 /llmio\n\
                    9000-a000 r--p 00008000 fe:00 1 /llmio\nb000-c000 rwxp 00000000 00:00 0\n";
        assert_eq!(code_around(maps, 0x3000), Some(0x3000..0x9000));
        for address in [0x2fff, 0x9000, 0xb000, 0xd000] {
            assert_eq!(code_around(maps, address), None, "{address:x}");
        }
        assert_eq!(code_around("", 0), None);
    }

    #[test]
    fn a_page_that_is_shared_with_something_else_stays() {
        let page = rustix::param::page_size();
        assert_eq!(whole(&(1..3 * page + 1)), page..3 * page);
        assert_eq!(whole(&(0..page)), 0..page);
        assert!(whole(&(1..page)).is_empty());
    }

    #[test]
    fn what_was_given_back_is_still_there() {
        static TEXT: [u8; 1 << 16] = [7; 1 << 16];
        give_back(&TEXT);
        assert!(TEXT.iter().all(|byte| *byte == 7));
    }
}
