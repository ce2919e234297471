//! salsa_upsert
