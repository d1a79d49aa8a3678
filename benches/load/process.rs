//! What processes cost, from /proc: CPU, memory, bytes written.

use std::collections::HashMap;
use std::fs;

/// Clock ticks a second of /proc/PID/stat; Linux says 100 to user space whatever it counts with.
const TICKS: f64 = 100.0;

/// What a tree of processes has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Seconds of CPU, children that ended included.
    pub cpu: f64,
    /// Bytes handed to the disk.
    pub written: u64,
    /// Bytes of memory, shared pages divided (PSS).
    pub memory: u64,
}

impl Usage {
    /// Of the processes `roots` and all below them.
    pub fn of(roots: &[u32]) -> Self {
        Self::sum(&tree(roots))
    }

    fn sum(ids: &[u32]) -> Self {
        let mut usage = Self::default();
        for id in ids.iter().copied() {
            if let Some(fields) = stat(id) {
                // utime, stime, cutime, cstime.
                usage.cpu += fields.iter().skip(11).take(4).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS;
            }
            usage.written += field(&format!("/proc/{id}/io"), "write_bytes:");
            usage.memory += field(&format!("/proc/{id}/smaps_rollup"), "Pss:") * 1024;
        }
        usage
    }

    /// Our own CPU so far, in seconds, without that of the servers that we started.
    pub fn own_cpu() -> f64 {
        Self::sum(&[std::process::id()]).cpu
    }
}

/// Seconds that the machine was not idle, over all CPUs.
pub fn machine_busy() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<f64> =
        text.lines().next().unwrap_or_default().split_whitespace().filter_map(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal
    let idle: f64 = fields.iter().skip(3).take(2).sum();
    (fields.iter().take(8).sum::<f64>() - idle) / TICKS
}

/// The fields of /proc/ID/stat from the third on.
fn stat(id: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The second field is a name in parentheses that may hold anything.
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

fn tree(roots: &[u32]) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Some(parent) = stat(id).and_then(|fields| fields.get(1)?.parse().ok()) else { continue };
        children.entry(parent).or_default().push(id);
    }
    let mut all = roots.to_vec();
    let mut next = 0;
    while let Some(id) = all.get(next) {
        all.extend(children.get(id).into_iter().flatten().copied().collect::<Vec<_>>());
        next += 1;
    }
    all
}

/// The number behind `name` in a file of lines; 0 where it cannot be read.
fn field(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
