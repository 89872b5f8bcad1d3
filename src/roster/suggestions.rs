//! What somebody may have meant who wrote a target that there isn't.

/// Targets by the names that portals and spreadsheets have for them, in lower-case letters and digits.
const MEANT: &[(&str, &[&str])] = &[
    (r#"emails[type eq "work"].value"#, &["email", "mail", "emailaddress", "workemail", "emailsvalue", "emailswork"]),
    (r#"emails[type eq "home"].value"#, &["homeemail", "privateemail", "personalemail"]),
    (r#"phoneNumbers[type eq "work"].value"#, &["phone", "phonenumber", "telephone", "telephonenumber", "workphone"]),
    (r#"phoneNumbers[type eq "mobile"].value"#, &["mobile", "mobilephone", "cell", "cellphone"]),
    ("userName", &["user", "login", "loginname", "userid", "userprincipalname", "upn", "samaccountname"]),
    ("externalId", &["id", "objectid", "guid", "objectguid", "immutableid"]),
    ("name.givenName", &["firstname", "givenname", "forename", "namefirst"]),
    ("name.familyName", &["lastname", "familyname", "surname", "sn", "namelast"]),
    ("name.middleName", &["middlename"]),
    ("name.formatted", &["name", "fullname", "commonname", "cn"]),
    ("title", &["jobtitle", "position", "job"]),
    ("active", &["enabled", "accountenabled", "status", "isactive", "disabled"]),
    ("manager", &["managerid", "manageremail", "enterprisemanagervalue", "supervisor", "reportsto"]),
    ("enterprise.department", &["department"]),
    ("enterprise.division", &["division"]),
    ("enterprise.organization", &["organization", "company", "companyname"]),
    ("enterprise.costCenter", &["costcenter", "costcentre"]),
    ("enterprise.employeeNumber", &["employeenumber", "employeeid", "personnelnumber"]),
    ("userType", &["employeetype", "type"]),
    ("preferredLanguage", &["language", "lang"]),
    (r#"addresses[type eq "work"].streetAddress"#, &["street", "streetaddress", "address", "addresses"]),
    (r#"addresses[type eq "work"].locality"#, &["city", "locality", "town"]),
    (r#"addresses[type eq "work"].postalCode"#, &["zip", "zipcode", "postalcode", "postcode"]),
    (r#"addresses[type eq "work"].country"#, &["country", "countrycode"]),
    ("access.notAfter", &["enddate", "leavingdate", "expires", "expirationdate", "accountexpires", "notafter"]),
    ("access.notBefore", &["startdate", "hiredate", "notbefore"]),
    ("roles", &["role"]),
    ("entitlements", &["entitlement", "license", "licenses"]),
];

/// Attributes whose name was only spelt in another letter case.
const NAMES: [&str; 8] =
    ["userName", "externalId", "displayName", "nickName", "profileUrl", "userType", "preferredLanguage", "timezone"];

/// What is to be written instead, or how it is done otherwise.
pub(super) fn of(target: &str) -> Option<&'static str> {
    let folded: String = target.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    if ["group", "groups", "memberof", "team", "teams"].contains(&folded.as_str()) {
        return Some("spec.labels, and a ScimGroup whose memberSelector selects by them");
    }
    if folded.contains("password") {
        return Some("nothing: passwords are not provisioned");
    }
    if let Some(name) = NAMES.into_iter().find(|name| name.eq_ignore_ascii_case(&folded)) {
        return Some(name);
    }
    if let Some((target, _)) = MEANT.iter().find(|(_, names)| names.contains(&folded.as_str())) {
        return Some(target);
    }
    // `emails[0].value`, `emails.value`, `emails[type eq 'work']`.
    let of_list = |list: &str| folded.starts_with(list);
    let lists = [("emails", 0), ("phonenumbers", 2)];
    lists.into_iter().find(|(list, _)| of_list(list)).map(|(_, at)| MEANT[at].0)
}

#[cfg(test)]
mod tests {
    use super::super::target::Target;
    use super::*;

    #[test]
    fn every_suggestion_is_a_target() {
        for (target, names) in MEANT {
            assert!(Target::parse(target).is_ok(), "{target}");
            for name in *names {
                assert!(Target::parse(name).is_err(), "{name} is a target itself");
                assert_eq!(of(name), Some(*target), "{name}");
            }
        }
        for name in NAMES {
            assert!(Target::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn what_was_meant_is_suggested() {
        for (written, meant) in [
            ("email", r#"emails[type eq "work"].value"#),
            ("E-Mail", r#"emails[type eq "work"].value"#),
            ("emails[0].value", r#"emails[type eq "work"].value"#),
            ("emails[type eq 'work'].value", r#"emails[type eq "work"].value"#),
            ("phoneNumbers.value", r#"phoneNumbers[type eq "work"].value"#),
            ("username", "userName"),
            ("first_name", "name.givenName"),
            ("department", "enterprise.department"),
        ] {
            assert_eq!(of(written), Some(meant), "{written}");
        }
        assert_eq!(of("shoeSize"), None);
    }
}
