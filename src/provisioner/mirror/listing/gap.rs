//! What a person is told of a list that isn't complete.

use std::fmt;

use super::Gap;
use crate::scim::Kind;

/// What a person is told of a gap in the list of users or groups.
pub struct GapIn<'a>(pub &'a Gap, pub Kind);

impl fmt::Display for GapIn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.1 {
            Kind::Users => "users",
            Kind::Groups => "groups",
        };
        match self.0 {
            Gap::Hollow(total) => {
                write!(f, "the list counts {total} and shows none: the key may not be allowed to view {what}")
            }
            Gap::Short(shown, total) => {
                write!(
                    f,
                    "the list counts {total} {what} and shows {shown}: the key may not be allowed to view them all"
                )
            }
            Gap::Unreadable(count) => write!(f, "the list shows {count} {what} without an id that can be read"),
            Gap::Circles => write!(
                f,
                "the list of {what} shows the same ones again and doesn't end: if the server doesn't page, set \
                 spec.dialect.paging to None"
            ),
            Gap::Repeated(count) => write!(
                f,
                "the list shows {count} {what}, and the same ones wherever a page begins, so there may be more: if that is \
                 all there is, set spec.dialect.paging to None"
            ),
            Gap::Breaks(count, why) => write!(
                f,
                "the list of {what} goes no further than {count} ({why}): those that it doesn't show are asked for one by one"
            ),
            Gap::Endless => write!(f, "the list of {what} never ends"),
        }
    }
}
