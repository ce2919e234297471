//! crm_update
