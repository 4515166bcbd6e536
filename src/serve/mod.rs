//! The service: hospitals' systems ask over HTTP while an order or a settlement is being made.
//!
//! Goes in: requests. Comes out: answers. Here: what becomes of doctors' feedback ([`feedback`]) and the description of every
//! route ([`openapi`]).

pub mod feedback;
pub mod openapi;
