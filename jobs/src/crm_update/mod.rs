//! The CRM: one change becomes one `POST processes/updatecontact` (or `upsertcontact`) with a
//! [`ContactUpsertDto`], and its answer becomes an outcome.
//!
//! A call that is repeated after a lost answer may duplicate what the CRM appends: the note, tasks,
//! tags, courses and communications. The default note therefore ends in the changeId.

mod body;
mod classify;
mod document;
mod mapping;
mod schema;

#[cfg(test)]
mod tests;

pub use self::{
    classify::{classify, crm_number},
    document::ContactUpsertDto,
    mapping::CrmMapping,
};
