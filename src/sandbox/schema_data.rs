//! The schemas of RFC 7643 as text: one attribute a line, sub-attributes
//! after a dot. Flags: `multi required exact readOnly writeOnly immutable
//! always never server`, `canonical=a|b` and `ref=A|B`.

pub(super) const COMMON: &str = "
schemas reference multi required always exact ref=uri
id string readOnly always exact server
externalId string exact
meta complex readOnly
.resourceType string readOnly exact
.created dateTime readOnly
.lastModified dateTime readOnly
.location reference readOnly exact ref=uri
.version string readOnly exact
";

pub(super) const USER: &str = "
userName string required server
name complex
.formatted string
.familyName string
.givenName string
.middleName string
.honorificPrefix string
.honorificSuffix string
displayName string
nickName string
profileUrl reference ref=external
title string
userType string
preferredLanguage string
locale string
timezone string
active boolean
password string writeOnly never
emails complex multi
.value string
.display string
.type string canonical=work|home|other
.primary boolean
phoneNumbers complex multi
.value string
.display string
.type string canonical=work|home|mobile|fax|pager|other
.primary boolean
ims complex multi
.value string
.display string
.type string canonical=aim|gtalk|icq|xmpp|msn|skype|qq|yahoo
.primary boolean
photos complex multi
.value reference ref=external
.display string
.type string canonical=photo|thumbnail
.primary boolean
addresses complex multi
.formatted string
.streetAddress string
.locality string
.region string
.postalCode string
.country string
.type string canonical=work|home|other
.primary boolean
groups complex multi readOnly
.value string readOnly
.$ref reference readOnly ref=User|Group
.display string readOnly
.type string readOnly canonical=direct|indirect
entitlements complex multi
.value string
.display string
.type string
.primary boolean
roles complex multi
.value string
.display string
.type string
.primary boolean
x509Certificates complex multi
.value binary exact
.display string
.type string
.primary boolean
";

pub(super) const ENTERPRISE: &str = "
employeeNumber string
costCenter string
organization string
division string
department string
manager complex
.value string
.$ref reference ref=User
.displayName string readOnly
";

pub(super) const GROUP: &str = "
displayName string required
members complex multi
.value string exact immutable
.$ref reference immutable ref=User|Group
.display string
.type string immutable canonical=User|Group
";
