/*
 * memcpy, memmove, memcmp and bcmp for the static (musl) build, in place of musl's: its memcpy for x86-64 is `rep movsq`
 * with a byte loop before and behind it, its memmove backwards `rep movsb` and its memcmp a byte at a time everywhere.
 * A call of the gateway makes some 600 copies, most shorter than 64 bytes, for which that start costs more than the
 * copy. build.rs links this only for musl, under the names the tests do not use.
 *
 * Not in Rust: a compiler may turn a loop in memcpy into a call of memcpy, and only C's can be told not to.
 * Baseline instructions only; the 16-byte type is a register of SSE2 or NEON.
 */
#include <stddef.h>
#include <stdint.h>

/* With a prefix for the tests, which run where the C library has its own. */
#ifdef PREFIX
#define JOINED(prefix, name) prefix##name
#define NAME_WITH(prefix, name) JOINED(prefix, name)
#define NAME(name) NAME_WITH(PREFIX, name)
#else
#define NAME(name) name
#endif
#define TEXT(name) #name
#define TEXT_OF(name) TEXT(name)
#define QUOTED(name) TEXT_OF(NAME(name))

/* Values that may stand at any address, and alias what is there. */
typedef uint16_t u16 __attribute__((aligned(1), may_alias));
typedef uint32_t u32 __attribute__((aligned(1), may_alias));
typedef uint64_t u64 __attribute__((aligned(1), may_alias));
typedef uint64_t u128 __attribute__((vector_size(16), aligned(1), may_alias));

#define AT(type, address) (*(type *)(address))

/* Everything is read before anything is written: the two may overlap. */
static inline void copy_up_to_16(char *to, const char *from, size_t size) {
    if (size >= 8) {
        u64 first = AT(const u64, from), last = AT(const u64, from + size - 8);
        AT(u64, to) = first;
        AT(u64, to + size - 8) = last;
    } else if (size >= 4) {
        u32 first = AT(const u32, from), last = AT(const u32, from + size - 4);
        AT(u32, to) = first;
        AT(u32, to + size - 4) = last;
    } else if (size >= 2) {
        u16 first = AT(const u16, from), last = AT(const u16, from + size - 2);
        AT(u16, to) = first;
        AT(u16, to + size - 2) = last;
    } else if (size == 1) {
        *to = *from;
    }
}

static inline void copy_17_to_128(char *to, const char *from, size_t size) {
    u128 a = AT(const u128, from), z = AT(const u128, from + size - 16);
    if (size > 32) {
        u128 b = AT(const u128, from + 16), y = AT(const u128, from + size - 32);
        if (size > 64) {
            u128 c = AT(const u128, from + 32), d = AT(const u128, from + 48);
            u128 w = AT(const u128, from + size - 64), x = AT(const u128, from + size - 48);
            AT(u128, to + 32) = c;
            AT(u128, to + 48) = d;
            AT(u128, to + size - 64) = w;
            AT(u128, to + size - 48) = x;
        }
        AT(u128, to + 16) = b;
        AT(u128, to + size - 32) = y;
    }
    AT(u128, to) = a;
    AT(u128, to + size - 16) = z;
}

/* More than 128 bytes, where writing from the start never overwrites what is still to be read. */
static void copy_upwards(char *to, const char *from, size_t size) {
    char *last = to + size - 64;
    u128 w = AT(const u128, from + size - 64), x = AT(const u128, from + size - 48);
    u128 y = AT(const u128, from + size - 32), z = AT(const u128, from + size - 16);
    u128 first = AT(const u128, from);
    /* Aligned stores: one that crosses a cache line costs more than a load that does. */
    size_t skipped = 16 - ((uintptr_t)to & 15);
    char *at = to + skipped;
    from += skipped;
    for (int is_first = 1; at < last; at += 64, from += 64, is_first = 0) {
        u128 a = AT(const u128, from), b = AT(const u128, from + 16);
        u128 c = AT(const u128, from + 32), d = AT(const u128, from + 48);
        if (is_first) AT(u128, to) = first;
        AT(u128, at) = a;
        AT(u128, at + 16) = b;
        AT(u128, at + 32) = c;
        AT(u128, at + 48) = d;
    }
    AT(u128, last) = w;
    AT(u128, last + 16) = x;
    AT(u128, last + 32) = y;
    AT(u128, last + 48) = z;
}

/* The same from the end. */
static void copy_downwards(char *to, const char *from, size_t size) {
    char *end = to + size;
    u128 a = AT(const u128, from), b = AT(const u128, from + 16);
    u128 c = AT(const u128, from + 32), d = AT(const u128, from + 48);
    u128 last = AT(const u128, from + size - 16);
    size_t skipped = ((uintptr_t)end - 1) % 16 + 1;
    char *at = end - skipped;
    from += size - skipped;
    for (int is_first = 1; at > to + 64; is_first = 0) {
        at -= 64, from -= 64;
        u128 w = AT(const u128, from), x = AT(const u128, from + 16);
        u128 y = AT(const u128, from + 32), z = AT(const u128, from + 48);
        if (is_first) AT(u128, end - 16) = last;
        AT(u128, at) = w;
        AT(u128, at + 16) = x;
        AT(u128, at + 32) = y;
        AT(u128, at + 48) = z;
    }
    AT(u128, to) = a;
    AT(u128, to + 16) = b;
    AT(u128, to + 32) = c;
    AT(u128, to + 48) = d;
}

void *NAME(memmove)(void *to, const void *from, size_t size) {
    if (size <= 16)
        copy_up_to_16(to, from, size);
    else if (size <= 128)
        copy_17_to_128(to, from, size);
    else if ((uintptr_t)to - (uintptr_t)from >= size)
        copy_upwards(to, from, size);
    else
        copy_downwards(to, from, size);
    return to;
}

/* As numbers, bytes are in order when the first is the most significant. */
static inline int order(uint64_t left, uint64_t right) {
    left = __builtin_bswap64(left), right = __builtin_bswap64(right);
    return (left > right) - (left < right);
}

/* The first four bytes and the last four, which may be some of the same. */
static inline uint64_t both_ends(const char *at, size_t size) {
    return AT(const u32, at) | (uint64_t)AT(const u32, at + size - 4) << 32;
}

int NAME(memcmp)(const void *left, const void *right, size_t size) {
    const char *a = left, *b = right;
    if (size >= 8) {
        for (size_t at = 0; at < size - 8; at += 8) {
            u64 x = AT(const u64, a + at), y = AT(const u64, b + at);
            if (x != y) return order(x, y);
        }
        return order(AT(const u64, a + size - 8), AT(const u64, b + size - 8));
    }
    if (size >= 4) return order(both_ends(a, size), both_ends(b, size));
    for (size_t at = 0; at < size; at++) {
        if (a[at] != b[at]) return (unsigned char)a[at] - (unsigned char)b[at];
    }
    return 0;
}

/* Copying where nothing overlaps needs one comparison less, and telling equal from not need not tell which is less. */
void *NAME(memcpy)(void *restrict, const void *restrict, size_t) __attribute__((alias(QUOTED(memmove))));
int NAME(bcmp)(const void *, const void *, size_t) __attribute__((alias(QUOTED(memcmp))));
