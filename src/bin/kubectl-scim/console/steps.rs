//! Why an object stands as it does, step by step: what `kubectl scim explain` prints, as a part of its page.

use anyhow::Result;
use maud::{Markup, html};

use super::page::foreign;
use crate::cluster::sentence;
use crate::commands::explain::Step;
use crate::output::Tone;

/// The steps, or why they can't be told.
pub fn steps(told: &Result<Vec<Step>>) -> Markup {
    html! {
        section #steps {
            h2 { "Step by step" }
            @match told {
                Err(error) => p.problem { "It can't be explained: " (foreign(&sentence(error))) },
                Ok(steps) => div.wide role="region" aria-label="Step by step" tabindex="0" {
                    table {
                        thead { tr { th { "Step" } th { "Found" } } }
                        tbody {
                            @for step in steps {
                                tr { td { span.state.(class(step.tone)) { (step.what) } } td { (foreign(&step.found)) } }
                            }
                        }
                    }
                },
            }
        }
    }
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "calm",
        Tone::Good => "good",
        Tone::Warning => "warning",
        Tone::Bad => "bad",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_text_and_say_how_good_they_are() {
        let told = vec![
            Step::new("declared", Tone::Good, "<script>alert(1)</script>"),
            Step::new("admitted", Tone::Bad, "Delete is in the hold 3f2a9c0d11b2e477"),
        ];
        let page = steps(&Ok(told)).into_string();
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
        assert!(page.contains("<span class=\"state bad\">admitted</span>"), "{page}");
        assert!(steps(&Err(anyhow::anyhow!("<b>gone"))).into_string().contains("&lt;b&gt;gone"));
    }
}
