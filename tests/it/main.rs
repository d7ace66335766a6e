//! Tests over the public interface, one module a behaviour.

mod support;
mod vectors;
