//! Temporary.
use sha256_multi::*;
use std::time::Instant;
fn main() {
    let e: Vec<_> = std::iter::once(Engine::detect()).chain(Engine::available()).collect();
    for e in &e {
        println!("{:?} {}", e.name(), e.lanes());
    }
    for n in 1..=16 {
        print!("{}:{} ", n, e[0].kernel_name(n));
    }
    println!();
    for n in [1usize, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 17, 64] {
        print!("{n:3} ");
        let data: Vec<Vec<u8>> = (0..n).map(|i| vec![i as u8; 65536]).collect();
        for e in &e {
            let mut rs = vec![];
            for _ in 0..15 {
                let t = Instant::now();
                for d in &data {
                    use sha2::Digest;
                    let mut h = sha2::Sha256::new();
                    h.update(d);
                    std::hint::black_box(h.finalize());
                }
                let a = t.elapsed().as_secs_f64();
                let t = Instant::now();
                let mut s = vec![State::new(); n];
                let mut i: Vec<_> = s.iter_mut().zip(data.iter().map(|d| &d[..])).collect();
                e.update_many(&mut i);
                std::hint::black_box(&s);
                let b = t.elapsed().as_secs_f64();
                rs.push(a / b);
            }
            rs.sort_by(f64::total_cmp);
            print!("{}={:.2} ", e.name(), rs[7]);
        }
        println!();
    }
}
