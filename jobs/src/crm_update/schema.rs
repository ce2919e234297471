//! The CRM's `ContactUpsertDto` as one table: every field of the vendor's page with its type. The
//! mapping, the validation and the JSON all follow it.

/// A field of the DTO or of one of its collections' items.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
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
        fields: &'static [Field],
        /// Most items; the page limits courses only.
        most: Option<usize>,
    },
}

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}

const fn items(fields: &'static [Field]) -> Kind {
    Kind::Items { fields, most: None }
}

/// The field of `fields` with that name, in any case: environment variables may have lost it.
pub(super) fn find(fields: &'static [Field], name: &str) -> Option<&'static Field> {
    fields
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case(name))
}

/// The constituent's identity; left out for anonymous changes.
pub(super) const STUDENT_INSTITUTION_ID: &str = "StudentInstitutionId";
/// The CRM's own primary key of a contact.
pub(super) const CRM_NUMBER: &str = "CrmNumber";

/// `ContactUpsertDto`, in the vendor's order.
pub(super) const CONTACT: &[Field] = &[
    field(CRM_NUMBER, Kind::Integer),
    field(STUDENT_INSTITUTION_ID, Kind::Text),
    field("Salutation", Kind::Text),
    field("Name", Kind::Text),
    field("Surname", Kind::Text),
    field("MiddleName", Kind::Text),
    field("Alias", Kind::Text),
    field("FormerName", Kind::Text),
    field("Gender", Kind::Gender),
    field("DateOfBirth", Kind::Date),
    field("EmailAddress", Kind::Email),
    field("EmailAddress2", Kind::Email),
    field("Mobile", Kind::Phone),
    field("PhoneWork", Kind::Phone),
    field("PhoneHome", Kind::Text),
    field("FaxWork", Kind::Text),
    field("FaxHome", Kind::Text),
    field("CorrespondenceStreetAddressLine1", Kind::Text),
    field("CorrespondenceStreetAddressLine2", Kind::Text),
    field("CorrespondenceStreetAddressLine3", Kind::Text),
    field("CorrespondenceTownSuburb", Kind::Text),
    field("CorrespondenceStateCity", Kind::Text),
    field("CorrespondencePostcode", Kind::Text),
    field("CorrespondenceCountry", Kind::Country),
    field("CountryOfBirth", Kind::Country),
    field("CountryOfCitizenship", Kind::Country),
    field("DualCountryOfCitizenship", Kind::Country),
    field("CountryOfResidence", Kind::Country),
    field("IsPermanentResident", Kind::Boolean),
    field("VisaType", Kind::Text),
    field("VisaExpiryDate", Kind::Date),
    field("InclusionStatus", Kind::Text),
    field("HeatStatus", Kind::Text),
    field("HeatStatusReason", Kind::Text),
    field("SubChannel", Kind::Text),
    field("Intake", Kind::Text),
    field("ContactStatus", Kind::Text),
    field("ContactStatusDate", Kind::Date),
    field("ContactStatusReason", Kind::Text),
    field("SubscribedToDirectEmails", Kind::Boolean),
    field("SubscribedToDirectPhoneCalls", Kind::Boolean),
    field("SubscribedToDirectSms", Kind::Boolean),
    field("ContactNoteContent", Kind::Text),
    field("ContactNoteType", Kind::Text),
    field("Inactive", Kind::Boolean),
    field("CreateTask", Kind::Boolean),
    field("TaskType", Kind::Text),
    field("TaskDescription", Kind::Text),
    field("TaskActionDate", Kind::Date),
    field("Tags", items(TAG)),
    field("Consents", items(CONSENT)),
    field("PackageCourses", Kind::Boolean),
    field(
        "Courses",
        Kind::Items {
            fields: COURSE,
            most: Some(99),
        },
    ),
    field("Communications", items(COMMUNICATION)),
];

const TAG: &[Field] = &[field("Tag", Kind::Text), field("TagDate", Kind::Date)];

const CONSENT: &[Field] = &[field("Type", Kind::Text), field("Consent", Kind::Boolean)];

const COURSE: &[Field] = &[
    field("PreferenceNumber", Kind::Integer),
    field("StudyLevel", Kind::Text),
    field("Faculty", Kind::Text),
    field("Course", Kind::Text),
    field("Department", Kind::Text),
    field("Campus", Kind::Text),
    field("StudyArea", Kind::Text),
];

const COMMUNICATION: &[Field] = &[
    field("Incoming", Kind::Boolean),
    field("Category", Kind::Text),
    field("Type", Kind::Text),
    field("Headline", Kind::Text),
    field("Subject", Kind::Text),
    field("Code", Kind::Text),
    field("Effectiveness", Kind::Text),
    field("FromEmailAddress", Kind::Email),
    field("ToEmailAddress", Kind::Email),
    field("SendExternal", Kind::Boolean),
    field("Source", Kind::Text),
    field("ReferralSource", Kind::Text),
    field("DateCreated", Kind::Date),
];
