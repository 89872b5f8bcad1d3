//! The tables that portals begin with, for the files that they export.

use crate::api::Preset;

/// One line: the attribute, and the expression of its value.
pub struct Line {
    /// The attribute.
    pub target: &'static str,
    /// The expression of its value; and others, for files that have its columns by other names.
    pub values: &'static [&'static str],
}

macro_rules! line {
    ($target:expr, $($value:expr),+) => { Line { target: $target, values: &[$($value),+] } };
}

/// Lines that are never left out for want of a column: without them people would be somebody else, or be let in.
pub const NEEDED: [&str; 2] = ["userName", "active"];

const WORK: &str = r#"emails[type eq "work"].value"#;
const PRIMARY: &str = r#"emails[type eq "work"].primary"#;
/// What Okta calls a user's status, in its API or as its pages do; any other rejects the row.
const OKTA_ACTIVE: &str = r#"flag(switch(replace(upper(row.status), " ", "_"), row.status, "ACTIVE", "true", "PROVISIONED", "true", "PENDING_USER_ACTION", "true", "STAGED", "true", "RECOVERY", "true", "PASSWORD_RESET", "true", "PASSWORD_EXPIRED", "true", "LOCKED_OUT", "true", "SUSPENDED", "false", "DEPROVISIONED", "false", "DEACTIVATED", "false"))"#;

/// What the admin centre of Microsoft 365 calls it in its export of users.
const NAME_OF_365: &str = r#"row["User principal name"]"#;
const ACTIVE_OF_365: &str = r#"!row["Block credential"]"#;
const DISPLAY_NAME_OF_365: &str = r#"row["Display name"]"#;

/// What both tables of Entra ID begin with.
const ENTRA_USER_NAME: Line = line!("userName", "row.userPrincipalName", NAME_OF_365);
const ENTRA_ACTIVE: Line = line!(
    "active",
    "!row.isSoftDeleted && row.accountEnabled",
    "!row.isSoftDeleted",
    "row.accountEnabled",
    ACTIVE_OF_365
);
const ENTRA_TITLE: Line = line!("title", "row.jobTitle", "row.Title");

/// The table of Datadog's guide for Entra ID.
const ENTRA_DATADOG: &[Line] = &[
    ENTRA_USER_NAME,
    ENTRA_ACTIVE,
    ENTRA_TITLE,
    line!(WORK, "row.mail"),
    line!(PRIMARY, "true"),
    line!("name.formatted", "row.displayName", DISPLAY_NAME_OF_365),
];

/// Microsoft Graph has a list, of one at most.
const FIRST_BUSINESS_PHONE: &str =
    r#"present(row.businessPhones) && size(row.businessPhones) > 0 ? row.businessPhones[0] : """#;

/// What Entra ID begins with for an application that isn't in its gallery.
const ENTRA_GENERIC: &[Line] = &[
    ENTRA_USER_NAME,
    ENTRA_ACTIVE,
    line!("displayName", "row.displayName", DISPLAY_NAME_OF_365),
    ENTRA_TITLE,
    line!(WORK, "row.mail"),
    line!(PRIMARY, "true"),
    line!("preferredLanguage", "row.preferredLanguage", r#"row["Preferred language"]"#),
    line!("name.givenName", "row.givenName", r#"row["First name"]"#),
    line!("name.familyName", "row.surname", r#"row["Last name"]"#),
    line!(
        "name.formatted",
        r#"join([row.givenName, row.surname], " ")"#,
        r#"join([row["First name"], row["Last name"]], " ")"#
    ),
    line!(
        r#"addresses[type eq "work"].formatted"#,
        "row.physicalDeliveryOfficeName",
        "row.officeLocation",
        "row.Office"
    ),
    line!(r#"addresses[type eq "work"].streetAddress"#, "row.streetAddress", r#"row["Street address"]"#),
    line!(r#"addresses[type eq "work"].locality"#, "row.city"),
    line!(r#"addresses[type eq "work"].region"#, "row.state"),
    line!(r#"addresses[type eq "work"].postalCode"#, "row.postalCode", r#"row["Postal code"]"#),
    line!(r#"addresses[type eq "work"].country"#, "row.country", r#"row["Country/region"]"#),
    line!(
        r#"phoneNumbers[type eq "work"].value"#,
        "row.telephoneNumber",
        FIRST_BUSINESS_PHONE,
        r#"row["Phone number"]"#
    ),
    line!(r#"phoneNumbers[type eq "mobile"].value"#, "row.mobile", "row.mobilePhone", r#"row["Mobile Phone"]"#),
    line!(r#"phoneNumbers[type eq "fax"].value"#, "row.facsimileTelephoneNumber", "row.Fax"),
    line!("externalId", "row.mailNickname"),
    line!("enterprise.employeeNumber", "row.employeeId"),
    line!("enterprise.department", "row.department"),
    line!("manager", "row.manager"),
];

/// The table of Datadog's guide for Okta.
const OKTA_DATADOG: &[Line] = &[
    line!("userName", "row.login"),
    line!("active", OKTA_ACTIVE),
    line!("title", "row.title"),
    line!(WORK, "row.email"),
    line!(PRIMARY, "true"),
    line!("name.givenName", "row.firstName"),
    line!("name.familyName", "row.lastName"),
    // So the report on passwords calls it.
    line!("name.formatted", "row.displayName", "row.User"),
];

/// What Okta begins with for an application of its own.
const OKTA_GENERIC: &[Line] = &[
    line!("userName", "row.login"),
    line!("active", OKTA_ACTIVE),
    line!("externalId", "row.id"),
    line!("displayName", "row.displayName", "row.User"),
    line!("nickName", "row.nickName"),
    line!("profileUrl", "row.profileUrl"),
    line!("title", "row.title"),
    line!("userType", "row.userType"),
    line!("preferredLanguage", "row.preferredLanguage"),
    line!("locale", "row.locale"),
    line!("timezone", "row.timezone"),
    line!(WORK, "row.email"),
    line!(PRIMARY, "true"),
    line!(r#"emails[type eq "home"].value"#, "row.secondEmail"),
    line!("name.givenName", "row.firstName"),
    line!("name.familyName", "row.lastName"),
    line!("name.middleName", "row.middleName"),
    line!("name.honorificPrefix", "row.honorificPrefix"),
    line!("name.honorificSuffix", "row.honorificSuffix"),
    line!(r#"phoneNumbers[type eq "work"].value"#, "row.primaryPhone"),
    line!(r#"phoneNumbers[type eq "mobile"].value"#, "row.mobilePhone"),
    line!(r#"addresses[type eq "work"].streetAddress"#, "row.streetAddress"),
    line!(r#"addresses[type eq "work"].locality"#, "row.city"),
    line!(r#"addresses[type eq "work"].region"#, "row.state"),
    line!(r#"addresses[type eq "work"].postalCode"#, "row.zipCode"),
    line!(r#"addresses[type eq "work"].country"#, "row.countryCode"),
    line!("enterprise.employeeNumber", "row.employeeNumber"),
    line!("enterprise.costCenter", "row.costCenter"),
    line!("enterprise.organization", "row.organization"),
    line!("enterprise.division", "row.division"),
    line!("enterprise.department", "row.department"),
    line!("manager", "row.managerId"),
];

/// What Google Workspace calls a user's status; any other rejects the row.
const GOOGLE_ACTIVE: &str = r#"flag(switch(upper(row["Status [READ ONLY]"]), row["Status [READ ONLY]"], "ACTIVE", "true", "SUSPENDED", "false", "ARCHIVED", "false"))"#;

/// Of the directory API's lists the first entry, as far as it says this.
macro_rules! first {
    ($list:literal, $part:literal) => {
        concat!(
            "present(row.",
            $list,
            ") && row.",
            $list,
            " != \"0\" && size(row.",
            $list,
            ") > 0 && \"",
            $part,
            "\" in row.",
            $list,
            "[0] ? row.",
            $list,
            "[0].",
            $part,
            " : \"\""
        )
    };
}

/// The directory API names relations of every kind.
const MANAGER_OF_GOOGLE: &str = r#"present(row.relations) && row.relations != "0" && size(row.relations) > 0 && "type" in row.relations[0] && row.relations[0].type == "manager" ? row.relations[0].value : """#;

/// The download of Google Workspace's admin console; the answers of its directory API.
const GOOGLE: &[Line] = &[
    line!("userName", r#"row["Email Address [Required]"]"#, "row.primaryEmail"),
    line!("active", GOOGLE_ACTIVE, "!(flag(row.suspended) || flag(row.archived))", "!row.suspended"),
    line!("externalId", "row.id"),
    line!(
        "displayName",
        r#"join([row["First Name [Required]"], row["Last Name [Required]"]], " ")"#,
        r#"row["name.fullName"]"#,
        "row.name.fullName"
    ),
    line!("title", r#"row["Employee Title"]"#, r#"row["organizations.0.title"]"#, first!("organizations", "title")),
    line!("userType", r#"row["Employee Type"]"#),
    line!(WORK, r#"row["Email Address [Required]"]"#, "row.primaryEmail"),
    line!(PRIMARY, "true"),
    line!("name.givenName", r#"row["First Name [Required]"]"#, r#"row["name.givenName"]"#, "row.name.givenName"),
    line!("name.familyName", r#"row["Last Name [Required]"]"#, r#"row["name.familyName"]"#, "row.name.familyName"),
    line!(
        "name.formatted",
        r#"join([row["First Name [Required]"], row["Last Name [Required]"]], " ")"#,
        r#"row["name.fullName"]"#,
        "row.name.fullName"
    ),
    line!(
        r#"phoneNumbers[type eq "work"].value"#,
        r#"row["Work Phone"]"#,
        r#"row["phones.0.value"]"#,
        first!("phones", "value")
    ),
    line!(r#"phoneNumbers[type eq "mobile"].value"#, r#"row["Mobile Phone"]"#),
    line!(r#"addresses[type eq "work"].formatted"#, r#"row["Work Address"]"#),
    line!("enterprise.employeeNumber", r#"row["Employee ID"]"#),
    line!(
        "enterprise.costCenter",
        r#"row["Cost Center"]"#,
        r#"row["organizations.0.costCenter"]"#,
        first!("organizations", "costCenter")
    ),
    line!(
        "enterprise.department",
        "row.Department",
        r#"row["organizations.0.department"]"#,
        first!("organizations", "department")
    ),
    line!("manager", r#"row["Manager Email"]"#, MANAGER_OF_GOOGLE),
];

/// `Get-ADUser -Filter * -Properties * | Export-Csv`.
const ACTIVE_DIRECTORY: &[Line] = &[
    line!("userName", "row.UserPrincipalName"),
    line!("active", "row.Enabled"),
    line!("externalId", "row.ObjectGUID"),
    line!("displayName", "row.DisplayName", "row.Name"),
    line!("title", "row.Title"),
    line!(WORK, "row.mail", "row.EmailAddress"),
    line!(PRIMARY, "true"),
    line!("name.givenName", "row.GivenName"),
    line!("name.familyName", "row.Surname", "row.sn"),
    line!("name.formatted", "row.DisplayName", "row.Name"),
    line!(r#"phoneNumbers[type eq "work"].value"#, "row.telephoneNumber", "row.OfficePhone"),
    line!(r#"phoneNumbers[type eq "mobile"].value"#, "row.mobile", "row.MobilePhone"),
    line!(r#"addresses[type eq "work"].streetAddress"#, "row.StreetAddress"),
    line!(r#"addresses[type eq "work"].locality"#, "row.City"),
    line!(r#"addresses[type eq "work"].region"#, "row.State"),
    line!(r#"addresses[type eq "work"].postalCode"#, "row.PostalCode"),
    line!(r#"addresses[type eq "work"].country"#, "row.Country"),
    line!("enterprise.employeeNumber", "row.EmployeeID", "row.EmployeeNumber"),
    line!("enterprise.organization", "row.Company"),
    line!("enterprise.division", "row.Division"),
    line!("enterprise.department", "row.Department"),
    line!("manager", "row.Manager"),
];

/// What else a row is named by in those that name it as manager: a directory has the whole path of an entry there.
pub fn alias(preset: Preset) -> Option<&'static str> {
    (preset == Preset::ActiveDirectory).then_some("row.DistinguishedName")
}

/// The lines of a preset.
pub fn lines(preset: Preset) -> &'static [Line] {
    match preset {
        Preset::EntraDatadog => ENTRA_DATADOG,
        Preset::EntraGeneric => ENTRA_GENERIC,
        Preset::OktaDatadog => OKTA_DATADOG,
        Preset::OktaGeneric => OKTA_GENERIC,
        Preset::GoogleWorkspace => GOOGLE,
        Preset::ActiveDirectory => ACTIVE_DIRECTORY,
    }
}
