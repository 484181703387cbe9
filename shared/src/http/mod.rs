//! A request as a handler reads it, and the answer that it gives.

mod member;
pub mod problem;
mod request;
mod response;
mod view;

pub use member::Member;
pub(crate) use request::NotBase64;
pub use request::{BodyFields, MAX_BODY_BYTES, RawQuery, Request};
pub use response::{LIST_BUDGET, Response};
pub use view::{CustomerAssociationView, UserView};
