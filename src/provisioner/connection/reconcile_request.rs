//! A person asks for a connection to be looked at now: by the annotation `reconcile-requested-at`, answered in status when
//! the test of the connection has failed, or the sweep after it has ended.

/// As long as status takes.
const LONGEST: usize = 256;

/// What was asked for, and how far that is.
#[derive(Debug, Default)]
pub struct ReconcileRequest {
    /// Answered last.
    pub handled: Option<String>,
    /// Tested since, and to be answered by a sweep.
    tested: Option<String>,
    /// What the sweep that is under way answers.
    sweeping: Option<String>,
}

impl ReconcileRequest {
    /// With what an earlier process recorded.
    pub fn new(handled: Option<String>) -> Self {
        Self { handled, ..Self::default() }
    }

    /// A test of the connection has ended; `sweeps`: one follows. True where it is asked for.
    pub fn tested(&mut self, asked: Option<&String>, sweeps: bool) -> bool {
        let asked = asked.map(|asked| asked.chars().take(LONGEST).collect::<String>());
        let Some(asked) = asked.filter(|asked| self.handled.as_ref() != Some(asked)) else { return false };
        if sweeps {
            self.tested = Some(asked);
        } else {
            self.handled = Some(asked);
        }
        sweeps
    }

    /// A sweep begins.
    pub fn sweep_began(&mut self) {
        self.sweeping.clone_from(&self.tested);
    }

    /// It has ended.
    pub fn sweep_ended(&mut self) {
        if let Some(answered) = self.sweeping.take() {
            self.tested.take_if(|asked| *asked == answered);
            self.handled = Some(answered);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_answered_when_it_is_done() {
        let (mut request, now) = (ReconcileRequest::new(None), "now".to_owned());
        assert!(!request.tested(None, true));
        request.sweep_began();
        // Asked for while a sweep is under way: that one began before.
        assert!(request.tested(Some(&now), true));
        request.sweep_ended();
        assert_eq!(request.handled, None);
        request.sweep_began();
        request.sweep_ended();
        assert_eq!(request.handled.as_ref(), Some(&now));
        assert!(!request.tested(Some(&now), true), "once");
        // Nothing can be swept: the test was all there is.
        assert!(!request.tested(Some(&"again".to_owned()), false));
        assert_eq!(request.handled.as_deref(), Some("again"));
    }
}
