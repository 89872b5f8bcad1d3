//! Where a page of a list begins: by index (RFC 7644 §3.4.2.4) or by cursor (RFC 9865).

use std::borrow::Cow;

use super::client::Page;
use super::profile::Paging;

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// At this resource, counted from 1.
    Index(u64),
    /// Where this cursor leads; the first is empty.
    Cursor(String),
}

impl Start {
    /// The first page.
    pub fn first(paging: Paging) -> Self {
        match paging {
            Paging::Cursor => Self::Cursor(String::new()),
            Paging::Index | Paging::None => Self::Index(1),
        }
    }

    /// It is where a listing begins.
    pub fn is_first(&self) -> bool {
        match self {
            Self::Index(index) => *index == 1,
            Self::Cursor(cursor) => cursor.is_empty(),
        }
    }

    /// The page after this one; none where the server says that there is none, or leads back to the same.
    pub fn after<R>(&self, page: &Page<R>) -> Option<Self> {
        match self {
            Self::Index(index) => Some(Self::Index(index + page.shown)),
            Self::Cursor(cursor) => {
                page.next_cursor.clone().filter(|next| !next.is_empty() && next != cursor).map(Self::Cursor)
            }
        }
    }

    pub(super) fn query(&self, count: u32) -> String {
        match self {
            Self::Index(index) => format!("startIndex={index}&count={count}"),
            Self::Cursor(cursor) => {
                let cursor: Cow<str> = url::form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
                format!("cursor={cursor}&count={count}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i11_a_cursor_ends_where_the_server_ends_it() {
        let page = |next: Option<&str>| -> Page { Page { next_cursor: next.map(str::to_owned), ..Page::default() } };
        let first = Start::first(Paging::Cursor);
        assert_eq!(first.query(5), "cursor=&count=5");
        let second = first.after(&page(Some("a+b"))).expect("a second page");
        assert_eq!(second.query(5), "cursor=a%2Bb&count=5");
        for end in [None, Some(""), Some("a+b")] {
            assert_eq!(second.after(&page(end)), None, "{end:?}");
        }
        assert_eq!(Start::first(Paging::Index).query(5), "startIndex=1&count=5");
    }
}
