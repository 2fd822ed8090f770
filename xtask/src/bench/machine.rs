//! One line that says on what machine, and when, a table was measured.

use std::fs;
use std::thread;

use crate::shell;

/// Processor, cores, instruction set, load and date.
pub(super) fn describe() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    // A table without a date is still a table.
    let date = shell::output(&mut shell::program("date", &["+%Y-%m-%d"])).unwrap_or_default();
    let parts = [
        processor(&cpu),
        format!("{cores} cores"),
        instruction_set(&cpu).to_owned(),
        load.split_whitespace()
            .next()
            .map_or_else(String::new, |load| format!("load {load} before the run")),
        date.trim().to_owned(),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}

fn field<'c>(cpu: &'c str, name: &str) -> Option<&'c str> {
    cpu.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

/// The model's name; virtual machines may hide the number in it, so family and model come with it.
fn processor(cpu: &str) -> String {
    let Some(name) = field(cpu, "model name") else {
        return format!("{} processor", std::env::consts::ARCH);
    };
    match (field(cpu, "cpu family"), field(cpu, "model")) {
        (Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
        _ => name.to_owned(),
    }
}

/// The widest vectors that matter to f64 arithmetic.
fn instruction_set(cpu: &str) -> &'static str {
    let flags = field(cpu, "flags").or_else(|| field(cpu, "Features"));
    let has = |flag: &str| flags.is_some_and(|flags| flags.split(' ').any(|word| word == flag));
    if has("avx512f") {
        "AVX-512"
    } else if has("avx2") && has("fma") {
        "AVX2 with FMA"
    } else if has("asimd") {
        "NEON"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_read_from_what_linux_says() {
        let cpu = "processor\t: 0\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2 fma avx512f\n";
        assert_eq!(processor(cpu), "AMD EPYC (family 26, model 2)");
        assert_eq!(instruction_set(cpu), "AVX-512");
        assert_eq!(
            instruction_set("flags : avx2 fma avx512_bf16"),
            "AVX2 with FMA"
        );
        assert_eq!(instruction_set("Features : fp asimd"), "NEON");
        assert_eq!(instruction_set(""), "");
        assert!(processor("").ends_with(" processor"));
    }
}
