//! `EXPOSE`.

use serde_json::json;

use super::super::expand::Mode;
use super::super::rules::{EXPOSE_CASING, EXPOSE_FORMAT};
use super::super::source::{Problem, Span};
use super::super::words::Word;
use super::Fold;

/// The most ports of a stage, each counted as often as it is named.
const PORTS: usize = 1 << 18;

/// What EXPOSE says of one port or range.
struct Ports {
    first: u16,
    last: u16,
    protocol: String,
}

impl Fold<'_> {
    /// Exposes ports.
    pub(super) fn expose(&mut self, words: &[Word], span: Span) {
        let mut shown = Vec::new();
        for word in words {
            let Some(expanded) = self.expand(word, Mode::Words, span) else { continue };
            for text in expanded.words {
                self.check_port(&text, span);
                let Some(ports) = read(&text) else {
                    let message = format!("port `{}` must be such as 80, 53/udp or 8000-8010", text.escape_debug());
                    self.findings.problems.push(Problem::new(word.span, message));
                    continue;
                };
                self.ports += usize::from(ports.last - ports.first) + 1;
                if self.ports > PORTS {
                    let message = format!("more than {PORTS} ports are exposed");
                    self.findings.problems.push(Problem::new(word.span, message));
                    return;
                }
                let Ports { first, last, protocol } = ports;
                let exposed = (first..=last).map(|port| (format!("{port}/{protocol}"), json!({})));
                self.state.settings.exposed_ports.extend(exposed);
                shown.push(if first == last {
                    format!("{first}/{protocol}")
                } else {
                    format!("{first}-{last}/{protocol}")
                });
            }
        }
        self.note(format!("EXPOSE [{}]", shown.join(" ")));
    }

    fn check_port(&mut self, text: &str, span: Span) {
        let protocol = text.split_once('/').map_or("", |(_, protocol)| protocol);
        if protocol != protocol.to_lowercase() {
            let message = format!("Defined protocol '{text}' in EXPOSE instruction should be lowercase");
            self.findings.warn(EXPOSE_CASING, span, message);
        }
        if text.contains(':') {
            let message =
                format!("EXPOSE instruction should not define an IP address or host-port mapping, found '{text}'");
            self.findings.warn(EXPOSE_FORMAT, span, message);
        }
    }
}

/// `[[address:]host port:]port[-port][/protocol]`: what is before the last colon means nothing.
fn read(text: &str) -> Option<Ports> {
    let text = text.rsplit_once(':').map_or(text, |(_, port)| port);
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = if protocol.is_empty() { "tcp".to_owned() } else { protocol.to_lowercase() };
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u16>().ok())?;
    let (first, last) = (number(first)?, number(last)?);
    let is_fine = first > 0 && first <= last && matches!(protocol.as_str(), "tcp" | "udp" | "sctp");
    is_fine.then_some(Ports { first, last, protocol })
}
