//! Bars and plots, as pictures that say in words what they show.

use maud::{Markup, html};

/// The height that columns may have, of 100: what is cut off at the top would be the errors.
const HIGHEST: usize = 94;
/// What happened is to be seen, however little it is.
const LEAST: usize = 3;

/// A bar of parts: a count, its class, its name; in words below it, where they stand nowhere else.
pub fn bar(parts: &[(i64, &str, &str)], in_words: bool) -> Markup {
    let total: i64 = parts.iter().map(|(count, _, _)| (*count).max(0)).sum();
    let words: Vec<String> =
        parts.iter().filter(|(count, ..)| *count > 0).map(|(count, _, name)| format!("{count} {name}")).collect();
    let words = if words.is_empty() { "none".to_owned() } else { words.join(", ") };
    let placed = parts.iter().filter(|(count, ..)| *count > 0).scan(0, |from, (count, class, _)| {
        let (start, width) = (*from * 1000 / total.max(1), count * 1000 / total.max(1));
        *from += count;
        Some((start, width.max(4), class))
    });
    html! {
        svg.bar viewBox="0 0 1000 12" preserveAspectRatio="none" role="img" aria-label=(words) {
            @for (start, width, class) in placed { rect.(class) x=(start) y="0" width=(width) height="12" {} }
        }
        @if in_words { p.legend { (words) } }
    }
}

/// What a plot is of.
pub struct Plot<'a> {
    /// A column each of what was done and what failed, the newest last.
    pub columns: &'a [(usize, usize)],
    /// What they come to.
    pub words: &'a str,
    /// What was done, and what failed, as the legend names them.
    pub names: [&'a str; 2],
    /// A column's length in time: `h` or `min`.
    pub unit: &'a str,
}

impl Plot<'_> {
    /// With its scale, its hours and its legend.
    pub fn shown(&self) -> Markup {
        let columns = self.columns;
        let top = scale(columns.iter().map(|(done, failed)| done + failed).max().unwrap_or_default());
        let height = |count: usize| if count == 0 { 0 } else { (count * HIGHEST / top).max(LEAST) };
        let ago = |place: usize| match columns.len() - place {
            1 => format!("the last {}", self.unit),
            ago => format!("{ago} {} ago", self.unit),
        };
        html! {
            figure.plotted {
                figcaption.legend {
                    svg.key viewBox="0 0 10 10" aria-hidden="true" { rect.info width="10" height="10" {} } " " (self.names[0]) " "
                    svg.key viewBox="0 0 10 10" aria-hidden="true" { rect.bad width="10" height="10" {} } " " (self.names[1])
                }
                div.scale aria-hidden="true" { span { (top) } span { (top / 2) } span { "0" } }
                svg.plot viewBox={ "0 0 " (columns.len() * 40) " 100" } preserveAspectRatio="none" role="img" aria-label=(self.words) {
                    @for y in [100 - HIGHEST, 100 - HIGHEST / 2] { rect.rest x="0" y=(y) width=(columns.len() * 40) height="0.6" {} }
                    @for (place, (done, failed)) in columns.iter().enumerate() {
                        @let told = format!("{}: {done} {}, {failed} {}", ago(place), self.names[0], self.names[1]);
                        @let (done, failed) = (height(*done), height(*failed));
                        rect.info x=(place * 40 + 4) y=(100 - done) width="32" height=(done) { title { (told) } }
                        rect.bad x=(place * 40 + 4) y=(100 - (done + failed).min(100)) width="32" height=(failed) { title { (told) } }
                    }
                }
                div.hours aria-hidden="true" {
                    span { (columns.len()) " " (self.unit) " ago" } span { (columns.len() / 2) " " (self.unit) " ago" } span { "now" }
                }
            }
        }
    }
}

/// The end of a scale that has all of it and whose half is whole: 2, 4, 10, 20, 40, 100.
fn scale(most: usize) -> usize {
    let mut top = 1;
    loop {
        for step in [2, 4, 10] {
            if top * step >= most {
                return top * step;
            }
        }
        top *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_says_in_words_what_it_shows() {
        let bar = bar(&[(3, "good", "synced"), (0, "bad", "failed"), (1, "warning", "held")], true).into_string();
        assert!(bar.contains("aria-label=\"3 synced, 1 held\"") && bar.contains("x=\"750\""), "{bar}");
        assert!(!bar.contains("style="), "the policy forbids it: {bar}");
    }

    #[test]
    fn one_error_beside_a_hundred_operations_is_to_be_seen_and_a_scale_says_how_many_they_are() {
        let columns = [(0, 0), (100, 1), (0, 3)];
        let names = ["operations", "errors"];
        let plot = Plot { columns: &columns, words: "100 operations", names, unit: "h" }.shown().into_string();
        assert!(plot.contains("width=\"32\" height=\"3\""), "{plot}");
        assert!(plot.contains("<title>2 h ago: 100 operations, 1 errors</title>"), "{plot}");
        assert!(plot.contains("<span>200</span><span>100</span><span>0</span>"), "{plot}");
        assert!(plot.contains("the last h") && plot.contains("3 h ago</span>") && !plot.contains("style="), "{plot}");
        assert_eq!([0, 1, 2, 3, 5, 10, 11, 100_001].map(scale), [2, 2, 2, 4, 10, 10, 20, 200_000]);
    }
}
