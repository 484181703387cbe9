//! HTTP as API Gateway hands it over and takes it back: payload format 2.0.

mod event;
mod member;
pub mod problem;
mod request;
mod response;
mod view;

pub use event::Event;
pub use member::Member;
pub use request::{BodyFields, MAX_BODY_BYTES, Query, Request};
pub use response::{LIST_BUDGET, Response};
pub use view::{CustomerAssociationView, UserView};
