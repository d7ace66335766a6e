//! Temporary.
use sha256_multi::*;
fn main() {
    let rd = || unsafe { core::arch::x86_64::_rdtsc() };
    let mut per = f64::MAX;
    for _ in 0..50 {
        let mut y = 3u64;
        let t0 = rd();
        for _ in 0..1000u64 {
            unsafe { core::arch::asm!(".rept 100","imul {0},{0}",".endr", inout(reg) y) };
        }
        std::hint::black_box(y);
        per = per.min((rd() - t0) as f64 / 3e5);
    }
    println!("tsc per cycle {per:.3}");
    let only: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    for e in Engine::available() {
        if !only.is_empty() && !only.iter().any(|o| o == e.name()) {
            continue;
        }
        let n = e.lanes();
        for blocks in [1usize, 4, 64, 1024] {
            let data: Vec<Vec<u8>> = (0..n).map(|i| vec![i as u8; blocks * 64]).collect();
            let mut best = f64::MAX;
            for _ in 0..400 {
                let mut s = vec![State::new(); n];
                let mut i: Vec<_> = s.iter_mut().zip(data.iter().map(|d| &d[..])).collect();
                let t0 = rd();
                e.update_many(&mut i);
                let t = (rd() - t0) as f64;
                best = best.min(t);
            }
            let c = best / per / blocks as f64;
            println!(
                "{:20} {blocks} blocks: {c:.0} cycles a row, {:.1} a block",
                e.name(),
                c / n as f64
            );
        }
    }
}
