//! Pointed tests.
