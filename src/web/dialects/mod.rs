//! Foreign request shapes, one file each, that end in the same verbs as the canonical API. No rules inside.

pub mod my_order_fellow;
pub mod order_update;
pub mod vendor_fulfilment;
