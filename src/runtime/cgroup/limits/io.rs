//! Weights and rates of block devices.
//!
//! Sources: the kernel's cgroup-v2.rst "IO", bfq-iosched.rst; runc's `ConvertBlkIOToIOWeightValue`.

use oci_spec::runtime::{LinuxBlockIo, LinuxThrottleDevice};

use super::{Expect, Setting};
use crate::runtime::cgroup::Error;

/// The settings for a spec's `blockIO`.
pub(super) fn settings(block_io: &LinuxBlockIo) -> Result<Vec<Setting>, Error> {
    let leaf = Error::Unsupported { what: "blockIO.leafWeight" };
    if block_io.leaf_weight().is_some() {
        return Err(leaf);
    }
    let mut settings = Vec::new();
    if let Some(asked) = block_io.weight().filter(|weight| *weight != 0) {
        settings.push(weight("default", asked)?);
    }
    for device in block_io.weight_device().iter().flatten() {
        if device.leaf_weight().is_some() {
            return Err(leaf);
        }
        if let Some(asked) = device.weight() {
            settings.push(weight(&format!("{}:{}", device.major(), device.minor()), asked)?);
        }
    }
    for (word, devices) in [
        ("rbps", block_io.throttle_read_bps_device()),
        ("wbps", block_io.throttle_write_bps_device()),
        ("riops", block_io.throttle_read_iops_device()),
        ("wiops", block_io.throttle_write_iops_device()),
    ] {
        settings.extend(devices.iter().flatten().map(|device| throttle(word, device)));
    }
    Ok(settings)
}

/// A share of a device's time. The bfq scheduler has a file of its own, in the spec's units; the other file has 1 to
/// 10000.
fn weight(key: &str, weight: u16) -> Result<Setting, Error> {
    if !(10..=1000).contains(&weight) {
        return Err(Error::Invalid { what: "weight from 10 to 1000", value: weight.to_string() });
    }
    let instead = Setting::new("io.weight", format!("{key} {}", cost(weight)), Expect::Line);
    let bfq = Setting::new("io.bfq.weight", format!("{key} {weight}"), Expect::Line);
    Ok(Setting { instead: Some(Box::new(instead)), ..bfq })
}

/// The weight in `io.weight`, 1 to 10000, for a weight of the spec, 10 to 1000.
pub(in crate::runtime::cgroup) fn cost(weight: u16) -> u64 {
    1 + u64::from(weight.saturating_sub(10)) * 9999 / 990
}

/// A rate per second; 0 is no limit, as in docker and runc.
fn throttle(word: &str, device: &LinuxThrottleDevice) -> Setting {
    let rate = if device.rate() == 0 { "max".to_owned() } else { device.rate().to_string() };
    Setting::new("io.max", format!("{}:{} {word}={rate}", device.major(), device.minor()), Expect::Word)
}
