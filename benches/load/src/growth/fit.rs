//! Fits a power law.

/// A size, and what was measured there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) size: f64,
    pub(crate) seconds: f64,
    pub(crate) bytes: Option<f64>,
}

/// The exponent k of `y = a * x^k`, by least squares over the logarithms.
pub(crate) fn exponent(points: impl Iterator<Item = (f64, f64)>) -> f64 {
    let logs: Vec<_> = points.map(|(x, y)| (x.ln(), y.ln())).collect();
    let mean = |of: fn(&(f64, f64)) -> f64| {
        logs.iter().map(of).sum::<f64>() / logs.iter().map(|_| 1.0).sum::<f64>()
    };
    let (x_mean, y_mean) = (mean(|log| log.0), mean(|log| log.1));
    let covariance: f64 = logs.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
    let variance: f64 = logs.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
    covariance / variance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponent_of_a_power_is_found() {
        let sizes = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0_f64];
        for k in [0.0, 0.5, 1.0, 2.0] {
            let found = exponent(sizes.iter().map(|size| (*size, 7.0 * size.powf(k))));
            assert!((found - k).abs() < 1e-9, "{found} for {k}");
        }
    }

    #[test]
    fn what_is_n_log_n_is_between_a_line_and_a_square() {
        let sizes = [16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0_f64];
        let found = exponent(sizes.iter().map(|size| (*size, size * size.log2())));
        assert!(found > 1.1 && found < 1.35, "{found}");
    }
}
