//! Ordercast.
