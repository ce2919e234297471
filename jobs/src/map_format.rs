//! Each destination's map.

use crate::{
    crm_update::CrmMapping, destination::Destination, mapping::MapFormat,
    salsa_upsert::SalsaMapping,
};

/// How `[DESTINATION.map]` is written.
pub const fn map_format(destination: Destination) -> &'static MapFormat {
    match destination {
        Destination::Crm => &CrmMapping::FORMAT,
        Destination::Salsa => &SalsaMapping::FORMAT,
    }
}
