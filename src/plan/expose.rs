//! `--expose` and `--publish-all`: the ports that a container offers, whether or not they are published.

use super::{Error, ImageDefaults, PortRequest, Request};
use crate::types::{Invalid, Protocol};

/// The ports that the image and `--expose` name, as `80/tcp`, ranges expanded.
pub(super) fn exposed(request: &Request, image: &ImageDefaults) -> Result<Vec<String>, Error> {
    let mut all = image.source.exposed_ports.clone();
    for text in &request.expose {
        for port in ports(text).map_err(Error::option("--expose"))? {
            if !all.contains(&port) {
                all.push(port);
            }
        }
    }
    Ok(all)
}

/// What is published: `--publish`, and with `--publish-all` each exposed port that is not yet, on any port of the host.
pub(super) fn published(request: &Request, image: &ImageDefaults) -> Result<Vec<PortRequest>, Error> {
    let mut all = request.publish.clone();
    if !request.publish_all {
        return Ok(all);
    }
    for text in exposed(request, image)? {
        // SCTP cannot be published; what an image has that is no port is nothing to publish.
        let Ok(mut asked) = PortRequest::from_publish(&text) else { continue };
        let last = asked.container_port.saturating_add(asked.count.saturating_sub(1));
        let first = asked.container_port;
        for port in first..=last {
            let is_published = all.iter().any(|other| {
                let end = u32::from(other.container_port) + u32::from(other.count);
                other.protocol == asked.protocol && port >= other.container_port && u32::from(port) < end
            });
            if !is_published {
                (asked.container_port, asked.count) = (port, 1);
                all.push(asked.clone());
            }
        }
    }
    Ok(all)
}

/// `PORT[-LAST][/tcp|udp|sctp]`, each port by itself.
fn ports(text: &str) -> Result<Vec<String>, Invalid> {
    let needed = "must be a port or a range of ports, such as 80, 53/udp or 8000-8010";
    let invalid = || Invalid::new("port to expose", text, needed);
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "tcp" => Protocol::Tcp.to_string(),
        "udp" => Protocol::Udp.to_string(),
        "sctp" => "sctp".to_owned(),
        _ => return Err(invalid()),
    };
    let port = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|port| is_number && *port > 0)
    };
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    match (port(first), port(last)) {
        (Some(first), Some(last)) if first <= last => {
            Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
        }
        _ => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::image;
    use super::*;

    fn request(expose: &[&str], publish: &[&str], publish_all: bool) -> Request {
        Request {
            expose: expose.iter().map(|&text| text.to_owned()).collect(),
            publish: publish.iter().map(|text| PortRequest::from_publish(text).unwrap()).collect(),
            publish_all,
            ..Request::default()
        }
    }

    fn with_ports(ports: &[&str]) -> ImageDefaults {
        let mut image = image();
        image.source.exposed_ports = ports.iter().map(|&port| port.to_owned()).collect();
        image
    }

    #[test]
    fn ports_are_exposed_one_by_one() {
        let of = |expose: &[&str]| exposed(&request(expose, &[], false), &with_ports(&["80/tcp"])).ok();
        let words = |words: &[&str]| Some(words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&[]), words(&["80/tcp"]));
        assert_eq!(of(&["80", "53/UDP", "7/sctp"]), words(&["80/tcp", "53/udp", "7/sctp"]));
        assert_eq!(of(&["1000-1002/udp"]), words(&["80/tcp", "1000/udp", "1001/udp", "1002/udp"]));
        for bad in ["", "0", "x", "80/", "80/icmp", "2-1", "1-", "65536", "+1", "1.2.3.4:80"] {
            assert_eq!(of(&[bad]), None, "{bad:?}");
        }
    }

    #[test]
    fn all_exposed_ports_are_published_that_are_not_yet() {
        let of = |expose: &[&str], publish: &[&str], all: bool| {
            let image = with_ports(&["80/tcp", "443/tcp", "9/sctp"]);
            let published = published(&request(expose, publish, all), &image).expect("ports");
            published.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of(&["53/udp"], &["8080:80"], false), "8080:80");
        assert_eq!(of(&["53/udp"], &["8080:80"], true), "8080:80 443 53/udp");
        assert_eq!(of(&["79-81"], &["8080-8081:80-81"], true), "8080-8081:80-81 443 79");
        assert_eq!(of(&[], &[], true), "80 443");
    }
}
