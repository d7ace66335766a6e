//! The benches say what is compared.
