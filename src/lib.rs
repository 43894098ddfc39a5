//! Ordercast: a real-time order tracking hub. This file is the map; read it first.
//!
//! The modules stand on a ladder: each may use only those listed above it.

pub mod base;
pub mod config;
pub mod telemetry;
pub mod db;
pub mod bus;
pub mod audit;
pub mod jobs;
pub mod accounts;
pub mod orders;
pub mod notify;
pub mod live;
pub mod background;
pub mod web;
pub mod app;
