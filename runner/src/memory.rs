//! The memory that the process may have: that of its cgroup or its machine, or what the operator says. When nearly all
//! of it is taken, new calls are turned away, so that those under way can end: the kernel would end all of them.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a look at the memory in use holds. A call that could be turned away asks each time.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The most memory that one instance may have.
const INSTANCE_BYTES_MAX: u64 = 256 << 20;

/// What an instance needs to serve ordinary calls.
const INSTANCE_BYTES_MIN: u64 = 96 << 20;

/// The most instances for large bodies of a thread.
pub(crate) const LARGE_INSTANCES_MAX: usize = 8;

/// A body that is larger is turned away earlier.
const SMALL_BODY_BYTES: u64 = 1 << 20;

/// The memory of the process.
pub(crate) struct Memory {
    /// The most bytes that it may have.
    limit: u64,
    /// When it was looked at last, in milliseconds since `started`, and one more.
    looked_at: AtomicU64,
    /// The bytes in use then.
    used: AtomicU64,
    started: Instant,
}

impl Memory {
    /// With this limit in bytes; without one it is that of the cgroup or the machine.
    pub(crate) fn new(limit: Option<u64>) -> Memory {
        let limit = limit.or_else(|| limit_of(|path| fs::read_to_string(path).ok())).unwrap_or(u64::MAX);
        Memory { limit, looked_at: AtomicU64::new(0), used: AtomicU64::new(0), started: Instant::now() }
    }

    /// Whether a new call with a body of this size has to be turned away.
    pub(crate) fn is_short_for(&self, body_bytes: u64) -> bool {
        is_short(self.limit, self.used(), body_bytes)
    }

    /// The most bytes that an instance may have.
    pub(crate) fn of_an_instance(&self) -> usize {
        let bytes = (self.limit / 2).clamp(INSTANCE_BYTES_MIN, INSTANCE_BYTES_MAX);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// How many instances for large bodies each of so many threads may have, so that all together take half of the
    /// memory at most.
    pub(crate) fn large_instances(&self, threads: usize) -> usize {
        let threads = u64::try_from(threads).unwrap_or(u64::MAX).max(1);
        let count = usize::try_from(self.limit / 2 / INSTANCE_BYTES_MAX / threads);
        count.unwrap_or(LARGE_INSTANCES_MAX).clamp(1, LARGE_INSTANCES_MAX)
    }

    /// The bytes in use, at most [`LOOK_EVERY`] ago.
    fn used(&self) -> u64 {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        let looked_at = self.looked_at.load(Ordering::Relaxed);
        let is_due = looked_at == 0 || u128::from(now - looked_at.min(now)) >= LOOK_EVERY.as_millis();
        let takes_look = || self.looked_at.compare_exchange(looked_at, now, Ordering::Relaxed, Ordering::Relaxed);
        if is_due && takes_look().is_ok() {
            let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
            // Where it cannot be read nobody is turned away.
            self.used.store(anonymous_bytes(&status).unwrap_or(0), Ordering::Relaxed);
        }
        self.used.load(Ordering::Relaxed)
    }
}

/// Nine tenths for all calls, three quarters for those with large bodies, which take the most.
fn is_short(limit: u64, used: u64, body_bytes: u64) -> bool {
    let allowed = if body_bytes > SMALL_BODY_BYTES { limit / 4 * 3 } else { limit / 10 * 9 };
    used >= allowed
}

/// What the kernel cannot take back: pages of files are not part of it.
fn anonymous_bytes(status: &str) -> Option<u64> {
    kibibytes(status, "RssAnon:")
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The smallest limit among the process's cgroup, the cgroups around it and the machine.
fn limit_of(read: impl Fn(&str) -> Option<String>) -> Option<u64> {
    let machine = read("/proc/meminfo").and_then(|text| kibibytes(&text, "MemTotal:"));
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    let files = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        match controllers {
            "" => Some(("/sys/fs/cgroup", path, "memory.max")),
            _ if controllers.split(',').any(|name| name == "memory") => {
                Some(("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes"))
            }
            _ => None,
        }
    });
    let limits = files.flat_map(|(root, path, name)| {
        // A path of the machine's is not found inside of a container, whose own group is then the root.
        let around = Path::new(path.trim_start_matches('/')).ancestors();
        around.map(move |group| Path::new(root).join(group).join(name))
    });
    // Where there is no limit the file says `max`, or in older kernels a number that no machine has.
    let limits = limits.filter_map(|file| read(file.to_str()?)?.trim().parse().ok());
    limits.chain(machine).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn limit(files: &[(&str, &str)]) -> Option<u64> {
        limit_of(|path| files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned()))
    }

    #[test]
    fn the_limit_is_the_smallest_of_the_cgroups_and_the_machine() {
        let machine = ("/proc/meminfo", "MemTotal:        1000 kB\nMemFree: 5 kB\n");
        let service = ("/proc/self/cgroup", "0::/system.slice/llmio.service\n");
        assert_eq!(limit(&[machine]), Some(1_024_000));
        assert_eq!(limit(&[]), None);
        let own = ("/sys/fs/cgroup/system.slice/llmio.service/memory.max", "268435\n");
        let around = ("/sys/fs/cgroup/system.slice/memory.max", "300000\n");
        assert_eq!(limit(&[machine, service, own, around]), Some(268_435));
        let around = ("/sys/fs/cgroup/system.slice/memory.max", "200000\n");
        assert_eq!(limit(&[machine, service, own, around]), Some(200_000));
        let none = ("/sys/fs/cgroup/system.slice/llmio.service/memory.max", "max\n");
        assert_eq!(limit(&[machine, service, none]), Some(1_024_000));
    }

    #[test]
    fn inside_a_container_the_limit_stands_at_the_root() {
        let machine = ("/proc/meminfo", "MemTotal: 1000 kB\n");
        for path in ["0::/\n", "0::/docker/abc\n"] {
            let files = [machine, ("/proc/self/cgroup", path), ("/sys/fs/cgroup/memory.max", "5000\n")];
            assert_eq!(limit(&files), Some(5000), "{path}");
        }
        let old = [
            machine,
            ("/proc/self/cgroup", "12:cpu,cpuacct:/a\n5:memory:/docker/abc\n0::/x\n"),
            ("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "9223372036854771712\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "7000\n"),
        ];
        assert_eq!(limit(&old), Some(7000));
    }

    #[test]
    fn large_bodies_are_turned_away_before_small_ones() {
        let large = 2 * MIB;
        for (used, small, is_large) in [(0, false, false), (74, false, false), (76, false, true), (91, true, true)] {
            assert_eq!(is_short(100 * MIB, used * MIB, 60), small, "{used}");
            assert_eq!(is_short(100 * MIB, used * MIB, large), is_large, "{used}");
        }
        assert!(!is_short(u64::MAX, 1 << 40, large), "no limit is known");
    }

    #[test]
    fn instances_are_fewer_and_smaller_where_there_is_little_memory() {
        let of = |mib: u64, threads| {
            let memory = Memory::new(Some(mib * MIB));
            (memory.of_an_instance() >> 20, memory.large_instances(threads))
        };
        assert_eq!(of(128, 2), (96, 1));
        assert_eq!(of(256, 2), (128, 1));
        assert_eq!(of(4096, 2), (256, 4));
        assert_eq!(of(65_536, 4), (256, 8));
        assert_eq!(of(65_536, 0), (256, 8));
    }

    #[test]
    fn the_memory_of_this_process_is_known() {
        let memory = Memory::new(None);
        assert!(memory.limit > 64 * MIB && memory.limit < u64::MAX, "{}", memory.limit);
        assert!(memory.used() > 64 << 10);
        assert!(Memory::new(Some(1)).is_short_for(0) && !memory.is_short_for(0));
    }
}
