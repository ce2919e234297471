//! The CRM's `ContactUpsertDto` as one table: every field of the vendor's page with its type. The
//! mapping, the validation and the JSON all follow it.

/// A field of the DTO or of one of its collections' items.
#[derive(Debug)]
pub(super) struct DtoField {
    pub(super) name: &'static str,
    pub(super) kind: DtoType,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum DtoType {
    Text,
    Integer,
    Boolean,
    /// ISO 8601, with or without a time.
    Date,
    /// The vendor's page: M, F, X (gender neutral) or N (not disclosed).
    Gender,
    Email,
    /// E.164, as AlumnIQ promises.
    Phone,
    /// Written as `crm.country_codes` says; the page names no form.
    Country,
    Items {
        fields: &'static [DtoField],
        /// Most items; the page limits courses only.
        most: Option<usize>,
    },
}

const fn field(name: &'static str, kind: DtoType) -> DtoField {
    DtoField { name, kind }
}

const fn items(fields: &'static [DtoField]) -> DtoType {
    DtoType::Items { fields, most: None }
}

/// The field of `fields` with that name, in any case: environment variables may have lost it.
pub(super) fn find(fields: &'static [DtoField], name: &str) -> Option<&'static DtoField> {
    fields
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case(name))
}

/// The constituent's identity; left out for anonymous changes.
pub(super) const STUDENT_INSTITUTION_ID: &str = "StudentInstitutionId";
/// The CRM's own primary key of a contact.
pub(super) const CRM_NUMBER: &str = "CrmNumber";

/// `ContactUpsertDto`, in the vendor's order.
pub(super) const CONTACT: &[DtoField] = &[
    field(CRM_NUMBER, DtoType::Integer),
    field(STUDENT_INSTITUTION_ID, DtoType::Text),
    field("Salutation", DtoType::Text),
    field("Name", DtoType::Text),
    field("Surname", DtoType::Text),
    field("MiddleName", DtoType::Text),
    field("Alias", DtoType::Text),
    field("FormerName", DtoType::Text),
    field("Gender", DtoType::Gender),
    field("DateOfBirth", DtoType::Date),
    field("EmailAddress", DtoType::Email),
    field("EmailAddress2", DtoType::Email),
    field("Mobile", DtoType::Phone),
    field("PhoneWork", DtoType::Phone),
    field("PhoneHome", DtoType::Text),
    field("FaxWork", DtoType::Text),
    field("FaxHome", DtoType::Text),
    field("CorrespondenceStreetAddressLine1", DtoType::Text),
    field("CorrespondenceStreetAddressLine2", DtoType::Text),
    field("CorrespondenceStreetAddressLine3", DtoType::Text),
    field("CorrespondenceTownSuburb", DtoType::Text),
    field("CorrespondenceStateCity", DtoType::Text),
    field("CorrespondencePostcode", DtoType::Text),
    field("CorrespondenceCountry", DtoType::Country),
    field("CountryOfBirth", DtoType::Country),
    field("CountryOfCitizenship", DtoType::Country),
    field("DualCountryOfCitizenship", DtoType::Country),
    field("CountryOfResidence", DtoType::Country),
    field("IsPermanentResident", DtoType::Boolean),
    field("VisaType", DtoType::Text),
    field("VisaExpiryDate", DtoType::Date),
    field("InclusionStatus", DtoType::Text),
    field("HeatStatus", DtoType::Text),
    field("HeatStatusReason", DtoType::Text),
    field("SubChannel", DtoType::Text),
    field("Intake", DtoType::Text),
    field("ContactStatus", DtoType::Text),
    field("ContactStatusDate", DtoType::Date),
    field("ContactStatusReason", DtoType::Text),
    field("SubscribedToDirectEmails", DtoType::Boolean),
    field("SubscribedToDirectPhoneCalls", DtoType::Boolean),
    field("SubscribedToDirectSms", DtoType::Boolean),
    field("ContactNoteContent", DtoType::Text),
    field("ContactNoteType", DtoType::Text),
    field("Inactive", DtoType::Boolean),
    field("CreateTask", DtoType::Boolean),
    field("TaskType", DtoType::Text),
    field("TaskDescription", DtoType::Text),
    field("TaskActionDate", DtoType::Date),
    field("Tags", items(TAG)),
    field("Consents", items(CONSENT)),
    field("PackageCourses", DtoType::Boolean),
    field(
        "Courses",
        DtoType::Items {
            fields: COURSE,
            most: Some(99),
        },
    ),
    field("Communications", items(COMMUNICATION)),
];

const TAG: &[DtoField] = &[field("Tag", DtoType::Text), field("TagDate", DtoType::Date)];

const CONSENT: &[DtoField] = &[
    field("Type", DtoType::Text),
    field("Consent", DtoType::Boolean),
];

const COURSE: &[DtoField] = &[
    field("PreferenceNumber", DtoType::Integer),
    field("StudyLevel", DtoType::Text),
    field("Faculty", DtoType::Text),
    field("Course", DtoType::Text),
    field("Department", DtoType::Text),
    field("Campus", DtoType::Text),
    field("StudyArea", DtoType::Text),
];

const COMMUNICATION: &[DtoField] = &[
    field("Incoming", DtoType::Boolean),
    field("Category", DtoType::Text),
    field("Type", DtoType::Text),
    field("Headline", DtoType::Text),
    field("Subject", DtoType::Text),
    field("Code", DtoType::Text),
    field("Effectiveness", DtoType::Text),
    field("FromEmailAddress", DtoType::Email),
    field("ToEmailAddress", DtoType::Email),
    field("SendExternal", DtoType::Boolean),
    field("Source", DtoType::Text),
    field("ReferralSource", DtoType::Text),
    field("DateCreated", DtoType::Date),
];
