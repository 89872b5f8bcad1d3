//! What every page has: the frame, and small pieces.

use std::fmt::Write as _;

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use crate::objects::Object;
use crate::time::ago;

/// What of the console is the same on every page.
pub struct Frame<'a> {
    /// Where it looks: a namespace, or all.
    pub place: &'a str,
    /// What was done a moment ago.
    pub notice: Option<&'a str>,
    /// What can't be listed, and why.
    pub problems: Vec<(&'static str, &'a str)>,
    /// Everything was listed.
    pub complete: bool,
    /// How many holds wait for an answer.
    pub holds: usize,
}

/// The pages that the navigation names.
const PAGES: [(&str, &str); 6] = [
    ("/", "Overview"),
    ("/people", "People"),
    ("/holds", "Holds"),
    ("/groups", "Groups"),
    ("/rosters", "Rosters"),
    ("/events", "Events"),
];

/// A page of the console.
pub fn page(frame: &Frame, path: &str, title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – scim-operator" }
                link rel="stylesheet" href="/style.css";
                script src="/console.js" defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    p.brand { "scim-operator" span.place { (frame.place) } }
                    nav aria-label="Pages" {
                        @for (address, name) in PAGES {
                            a href=(address) aria-current=[(address == path).then_some("page")] {
                                (name)
                                @if address == "/holds" { " " span.count #held hidden[frame.holds == 0] { (frame.holds) } }
                            }
                        }
                    }
                }
                main #main tabindex="-1" {
                    h1 #title { (foreign(title)) }
                    @if let Some(notice) = frame.notice { p.notice role="status" { (notice) } }
                    // Each of these is replaced by itself as it changes: what was done a moment ago stays to be read.
                    div #state {
                        @if !frame.complete { p.notice role="status" { "Still listing: what is shown is not everything yet." } }
                        @for (kind, problem) in &frame.problems {
                            p.problem { (kind) " can't be listed: " (foreign(problem)) }
                        }
                    }
                    div #content { (content) }
                }
            }
        }
    }
}

/// A page that says why there is none.
pub fn refusal(words: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "Refused – scim-operator" } }
            body { main { h1 { "Refused" } p { (words) } } }
        }
    }
}

/// What opens the console: the cookie is set with this response, and sent with the next request.
pub fn opened() -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; meta http-equiv="refresh" content="0;url=/"; title { "scim-operator" } }
            body { main { h1 { "scim-operator" } p { a href="/" { "Open the console" } } } }
        }
    }
}

/// A text of somebody else's: whichever way it is written, it stays in its place.
pub fn foreign(text: &str) -> Markup {
    html! { bdi { (text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>()) } }
}

/// A manifest, line by line. What would turn the direction of its text, or isn't to be seen, is spelled out.
pub fn manifest(text: &str) -> Markup {
    let line = |line: &str| {
        let spelled = |c: char| matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        line.chars().fold(String::new(), |mut shown, c| {
            if spelled(c) || (c.is_control() && c != '\t') {
                let _ = write!(shown, "\\u{:04X}", u32::from(c));
            } else {
                shown.push(c);
            }
            shown
        })
    };
    html! { pre tabindex="0" dir="ltr" { @for text in text.lines() { bdi { (line(text)) } "\n" } } }
}

/// How good something is, as a class of the style sheet.
pub fn state_class(state: &str) -> &'static str {
    match state {
        "Active" | "Synced" | "True" => "good",
        "Inactive" | "NotCreated" | "Suspended" => "calm",
        "Failed" | "DeletedAtServer" | "False" => "bad",
        _ => "warning",
    }
}

/// A state, by colour and word.
pub fn state(state: &str) -> Markup {
    html! { span.state.(state_class(state)) { (if state.is_empty() { "Unknown" } else { state }) } }
}

/// How an object stands: its state, and the reason where that says more.
pub fn standing(object: &Object) -> Markup {
    let (known, reason) = (object.state.as_deref().unwrap_or_default(), object.reason.as_deref().unwrap_or_default());
    html! { p { (state(known)) @if reason != known { " " (reason) } } }
}

/// The Ready condition, by colour and word.
pub fn readiness(status: &str) -> Markup {
    let word = match status {
        "True" => "Ready",
        "False" => "Not ready",
        _ => "Unknown",
    };
    html! { span.state.(state_class(status)) { (word) } }
}

/// When something was, as people read it, with the instant to point at.
pub fn when(at: Option<Timestamp>, now: Timestamp) -> Markup {
    html! {
        @match at {
            Some(at) => time datetime=(at) title=(at) { (ago(at, now)) @if at <= now { " ago" } },
            None => "–",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What names may be.
    fn hostile() -> [String; 6] {
        let markup = ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "👩‍🚀 &amp; '`", "</bdi></bdo><b>"];
        let long = "x<".repeat(500);
        [markup[0], markup[1], markup[2], markup[3], "\u{202e}moc.elpmaxe@\u{2067}ada", &long].map(str::to_owned)
    }

    #[test]
    fn what_others_wrote_is_text_and_stays_in_its_place() {
        for text in hostile() {
            let shown = foreign(&text).into_string();
            let within = shown.strip_prefix("<bdi>").and_then(|rest| rest.strip_suffix("</bdi>")).unwrap();
            assert!(!within.contains(['<', '>', '"']), "{shown}");
        }
        assert_eq!(foreign("a\u{1b}[31m\nb").into_string(), "<bdi>a [31m b</bdi>");
        assert!(refusal("<script>").into_string().contains("&lt;script&gt;"));
    }

    #[test]
    fn a_manifest_hides_nothing_and_turns_nothing_around() {
        let shown = manifest("title: \u{202e}nimda\u{200b}\u{1b}[31m</pre><b>\nnote: \u{5e9}\n").into_string();
        let lines = "<bdi>title: \\u202Enimda\\u200B\\u001B[31m&lt;/pre&gt;&lt;b&gt;</bdi>\n<bdi>note: \u{5e9}</bdi>\n";
        assert_eq!(shown, format!("<pre tabindex=\"0\" dir=\"ltr\">{lines}</pre>"));
    }

    #[test]
    fn the_frame_names_where_one_is() {
        let frame = Frame { place: "identity", notice: None, problems: vec![], complete: true, holds: 2 };
        let page = page(&frame, "/holds", "Holds", &html! {}).into_string();
        assert!(
            page.contains(
                "<a href=\"/holds\" aria-current=\"page\">Holds <span class=\"count\" id=\"held\">2</span></a>"
            ),
            "{page}"
        );
        assert!(!page.contains("Still listing") && page.contains("<div id=\"state\"></div>"));
    }
}
