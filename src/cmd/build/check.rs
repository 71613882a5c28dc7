//! `rc build --check` and `--call`.

use std::str::FromStr;

use crate::engine::CheckedBuild;
use crate::error::{Error, Exit};
use crate::types::{Report, ReportKind};
use crate::ui;
use crate::view::dockerfile as view;

/// `--call`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    method: Method,
    is_json: bool,
}

#[derive(Debug, Clone, Copy)]
enum Method {
    Check,
    Outline,
    Targets,
}

impl FromStr for Call {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (method, format) = text.split_once(',').unwrap_or((text, "format=text"));
        let method = match method {
            "check" | "lint" => Method::Check,
            "outline" => Method::Outline,
            "targets" => Method::Targets,
            _ => return Err("it is one of check, outline, targets".to_owned()),
        };
        match format {
            "format=text" => Ok(Self { method, is_json: false }),
            "format=json" => Ok(Self { method, is_json: true }),
            _ => Err("its format is text or json".to_owned()),
        }
    }
}

impl Call {
    /// `--check`.
    pub(super) const CHECK: Self = Self { method: Method::Check, is_json: false };
}

/// Prints what was found.
pub(super) fn show(checked: &CheckedBuild, call: Call) -> Result<Exit, Error> {
    let CheckedBuild { source, outcome } = checked;
    let (file, plan) = match outcome {
        Ok(found) => found,
        Err(problems) => {
            view::problems(source, problems).iter().for_each(ui::note);
            let count = problems.len();
            let errors = if count == 1 { "an error".to_owned() } else { format!("{count} errors") };
            return Err(Report::new(ReportKind::Invalid, format!("`{}` has {errors}", source.name())).into());
        }
    };
    let mut out = ui::out();
    if call.is_json {
        let object = match call.method {
            Method::Check => view::check_object(source, plan),
            Method::Outline => view::outline_object(source, file, plan),
            Method::Targets => view::targets_object(source, file),
        };
        out.raw(ui::json::pretty(&object).map_err(|error| Error::new(error.to_string()))?.as_bytes())?;
        out.line("")?;
    } else {
        let lines = match call.method {
            Method::Check => view::check(source, plan),
            Method::Outline => view::outline(file, plan),
            Method::Targets => view::targets(file),
        };
        lines.iter().try_for_each(|line| out.line(line))?;
    }
    out.finish()?;
    for name in &plan.unused {
        ui::warning(format_args!("the build argument `{name}` is not used"));
    }
    let is_check = matches!(call.method, Method::Check);
    if is_check && plan.warnings_are_errors && !plan.warnings.is_empty() {
        ui::note(format_args!("ERROR: lint violation found for rules: {}", view::rules(plan)));
    }
    // As docker: what a check has found is exit code 1.
    Ok(if is_check && !plan.warnings.is_empty() { Exit(1) } else { Exit::SUCCESS })
}
