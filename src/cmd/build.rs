//! `rc build`.

mod call;

use std::io::Read as _;
use std::path::PathBuf;

use call::{Call, Method};

use super::Ctx;
use crate::build::dockerfile::source::FILE_LIMIT;
use crate::engine::{self, CheckBuild, CheckedBuild, DockerfileAt};
use crate::error::{Error, Exit};
use crate::registry::Platform;
use crate::sys::fs::AtPath as _;
use crate::types::{Report, ReportKind};
use crate::ui;
use crate::view::dockerfile as view;

/// Check a Dockerfile
///
/// This version of rc reads Dockerfiles and checks them (`--check`); it does not build yet.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Set a build argument: NAME=VALUE, or NAME for the value of the environment
    #[arg(long = "build-arg", value_name = "ARGUMENT")]
    pub(crate) arguments: Vec<String>,
    /// Say something about the Dockerfile: check, outline, targets; with `,format=json` as JSON
    #[arg(long, value_name = "METHOD")]
    pub(crate) call: Option<Call>,
    /// Check the Dockerfile: the same as `--call=check`
    #[arg(long)]
    pub(crate) check: bool,
    /// Read the Dockerfile from this path, or from standard input if it is `-`
    #[arg(short, long, value_name = "PATH")]
    pub(crate) file: Option<String>,
    /// Read the patterns of what is ignored from this path
    #[arg(long = "ignorefile", value_name = "PATH")]
    pub(crate) ignore_file: Option<PathBuf>,
    /// Set the platform of the image: OS/ARCH[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<Platform>,
    /// Set the stage to build, by name or number
    #[arg(long, value_name = "STAGE")]
    pub(crate) target: Option<String>,
    /// The directory of the context, or `-` for a Dockerfile from standard input
    #[arg(value_name = "CONTEXT")]
    pub(crate) context: Option<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let check = Call { method: Method::Check, is_json: false };
    let Some(call) = args.call.or_else(|| args.check.then_some(check)) else {
        let error = Error::new("this version of rc does not build images");
        return Err(error.with_hint("it checks Dockerfiles: `rc build --check .`"));
    };
    let context = args.context.unwrap_or_else(|| ".".to_owned());
    let file = match args.file.as_deref() {
        Some("-") => DockerfileAt::Text(standard_input()?),
        Some(path) => DockerfileAt::Path(path.into()),
        None if context == "-" => DockerfileAt::Text(standard_input()?),
        None => DockerfileAt::Usual,
    };
    let context = if context == "-" { ".".to_owned() } else { context };
    let request = CheckBuild {
        context: context.into(),
        file,
        ignore_file: args.ignore_file,
        arguments: args.arguments,
        target: args.target,
        platform: args.platform,
    };
    show(&engine::check_build(&ctx.engine, &ctx.caller()?, &request)?, call)
}

fn standard_input() -> Result<Vec<u8>, Report> {
    let mut bytes = Vec::new();
    // One byte more than a Dockerfile may have, so that it is refused and not cut.
    let limit = u64::try_from(FILE_LIMIT).unwrap_or(u64::MAX).saturating_add(1);
    std::io::stdin().lock().take(limit).read_to_end(&mut bytes).at("read", "standard input")?;
    Ok(bytes)
}

fn show(checked: &CheckedBuild, call: Call) -> Result<Exit, Error> {
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
    let is_check = call.method == Method::Check;
    if is_check && plan.warnings_are_errors && !plan.warnings.is_empty() {
        ui::note(format_args!("ERROR: lint violation found for rules: {}", view::rules(plan)));
    }
    // As docker: what a check has found is exit code 1.
    Ok(if is_check && !plan.warnings.is_empty() { Exit(1) } else { Exit::SUCCESS })
}
