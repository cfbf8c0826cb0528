//! The allocator of an instance: lists of free blocks for small sizes, of which a call takes and gives back some two
//! hundred, before talc, which serves the rest and joins what is free.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ptr;

use talc::wasm::{WasmDynamicTalc, new_wasm_dynamic_allocator};

/// Sizes differ by this much from list to list, and a block holds at least the pointer to the next one.
const STEP: usize = 16;
const LISTS: usize = 32;

/// All blocks are aligned like this, and what needs more is talc's.
const ALIGN: usize = 8;

/// How much a list keeps. What is beyond it goes back to talc, since a large body may be parsed into millions of small
/// blocks whose memory the next one needs in one piece.
const KEPT_BYTES_MAX: usize = 32 << 10;

/// See above.
pub(crate) struct Allocator {
    lists: [List; LISTS],
    large: WasmDynamicTalc,
}

/// The free blocks of one size. The first word of each points to the next.
struct List {
    first: Cell<*mut u8>,
    blocks: Cell<usize>,
}

#[expect(unsafe_code, reason = "a static must be `Sync`")]
// SAFETY: wasm32-wasip2 has no threads.
unsafe impl Sync for Allocator {}

impl Allocator {
    /// An allocator without any memory.
    pub(crate) const fn new() -> Self {
        let lists = [const { List { first: Cell::new(ptr::null_mut()), blocks: Cell::new(0) } }; LISTS];
        Allocator { lists, large: new_wasm_dynamic_allocator() }
    }

    /// The list that serves a layout, and the layout of its blocks; `None` if talc does.
    fn list(&self, layout: Layout) -> Option<(&List, Layout)> {
        let place = layout.size().wrapping_sub(1) / STEP;
        let list = self.lists.get(place).filter(|_| layout.align() <= ALIGN)?;
        Some((list, Layout::from_size_align((place + 1) * STEP, ALIGN).ok()?))
    }
}

#[expect(unsafe_code, reason = "an allocator is unsafe by nature; see each block")]
// SAFETY: a block is in a list only while nobody has it, and has the size and alignment of its list. Nothing is inlined,
// since there are thousands of places that allocate.
unsafe impl GlobalAlloc for Allocator {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout, which is not empty, or that of a list. A block in a list begins with a pointer.
        unsafe {
            let Some((list, block)) = self.list(layout) else { return self.large.alloc(layout) };
            let first = list.first.get();
            if first.is_null() {
                return self.large.alloc(block);
            }
            list.first.set(first.cast::<*mut u8>().read());
            list.blocks.set(list.blocks.get() - 1);
            first
        }
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block_start: *mut u8, layout: Layout) {
        // SAFETY: the block was given out with this layout, and so by the same list or by talc, and is aligned for a
        // pointer.
        unsafe {
            let Some((list, block)) = self.list(layout) else { return self.large.dealloc(block_start, layout) };
            let blocks = list.blocks.get();
            if blocks * block.size() >= KEPT_BYTES_MAX {
                return self.large.dealloc(block_start, block);
            }
            block_start.cast::<*mut u8>().write(list.first.get());
            list.first.set(block_start);
            list.blocks.set(blocks + 1);
        }
    }

    #[inline(never)]
    unsafe fn realloc(&self, block_start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above; the caller guarantees that the new size makes a layout with the old alignment.
        unsafe {
            let new_layout = Layout::from_size_align_unchecked(size, layout.align());
            match (self.list(layout), self.list(new_layout)) {
                (None, None) => return self.large.realloc(block_start, layout, size),
                (Some((_, block)), Some((_, other))) if block == other => return block_start,
                _ => {}
            }
            let taken = self.alloc(new_layout);
            if !taken.is_null() {
                ptr::copy_nonoverlapping(block_start, taken, layout.size().min(size));
                self.dealloc(block_start, layout);
            }
            taken
        }
    }
}
