//! The checks by their names: BuildKit's, and what they say. Source: BuildKit, `linter` as of 0.32; docker's
//! documentation, "Build checks".

use super::source::{Problem, Span};
use crate::types::nearest;

/// A check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it is about.
    pub(crate) description: &'static str,
    /// The end of the address of its documentation.
    slug: &'static str,
}

macro_rules! rules {
    ($($constant:ident $name:literal $slug:literal $description:literal)*) => {
        $(pub(crate) const $constant: Rule = Rule { name: $name, description: $description, slug: $slug };)*
        /// All checks.
        #[cfg(test)]
        pub(crate) const ALL: &[Rule] = &[$($constant),*];
    };
}

rules! {
    STAGE_NAME_CASING "StageNameCasing" "stage-name-casing" "Stage names should be lowercase"
    FROM_AS_CASING "FromAsCasing" "from-as-casing" "The 'as' keyword should match the case of the 'from' keyword"
    NO_EMPTY_CONTINUATION "NoEmptyContinuation" "no-empty-continuation"
        "Empty continuation lines will become errors in a future release"
    CONSISTENT_CASING "ConsistentInstructionCasing" "consistent-instruction-casing"
        "All commands within the Dockerfile should use the same casing (either upper or lower)"
    DUPLICATE_STAGE_NAME "DuplicateStageName" "duplicate-stage-name" "Stage names should be unique"
    RESERVED_STAGE_NAME "ReservedStageName" "reserved-stage-name" "Reserved words should not be used as stage names"
    JSON_ARGS_RECOMMENDED "JSONArgsRecommended" "json-args-recommended"
        "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals"
    MAINTAINER_DEPRECATED "MaintainerDeprecated" "maintainer-deprecated"
        "The MAINTAINER instruction is deprecated, use a label instead to define an image author"
    UNDEFINED_ARG_IN_FROM "UndefinedArgInFrom" "undefined-arg-in-from" "FROM command must use declared ARGs"
    WORKDIR_RELATIVE_PATH "WorkdirRelativePath" "workdir-relative-path"
        "Relative workdir without an absolute workdir declared within the build can have unexpected results if the \
         base image changes"
    UNDEFINED_VAR "UndefinedVar" "undefined-var" "Variables should be defined before their use"
    MULTIPLE_INSTRUCTIONS "MultipleInstructionsDisallowed" "multiple-instructions-disallowed"
        "Multiple instructions of the same type should not be used in the same stage"
    LEGACY_KEY_VALUE "LegacyKeyValueFormat" "legacy-key-value-format"
        "Legacy key/value format with whitespace separator should not be used"
    INVALID_BASE_IMAGE_PLATFORM "InvalidBaseImagePlatform" "invalid-base-image-platform"
        "Base image platform does not match expected target platform"
    REDUNDANT_TARGET_PLATFORM "RedundantTargetPlatform" "redundant-target-platform"
        "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior"
    SECRETS_USED "SecretsUsedInArgOrEnv" "secrets-used-in-arg-or-env"
        "Sensitive data should not be used in the ARG or ENV commands"
    INVALID_DEFAULT_ARG "InvalidDefaultArgInFrom" "invalid-default-arg-in-from"
        "Default value for global ARG results in an empty or invalid base image name"
    PLATFORM_CONSTANT "FromPlatformFlagConstDisallowed" "from-platform-flag-const-disallowed"
        "FROM --platform flag should not use a constant value"
    COPY_IGNORED_FILE "CopyIgnoredFile" "copy-ignored-file" "Attempting to Copy file that is excluded by .dockerignore"
    INVALID_DESCRIPTION "InvalidDefinitionDescription" "invalid-definition-description"
        "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is \
         not intended to be a description comment, add an empty line or comment between the instruction and the \
         comment."
    EXPOSE_CASING "ExposeProtoCasing" "expose-proto-casing" "Protocol in EXPOSE instruction should be lowercase"
    EXPOSE_FORMAT "ExposeInvalidFormat" "expose-invalid-format"
        "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a \
         future release"
}

/// Of rc alone: what looks like the JSON form, but runs in a shell.
pub(crate) const JSON_FORM: Rule =
    Rule { name: "JSONFormInvalid", slug: "", description: "An array that is not valid JSON is a line for the shell" };

impl Rule {
    /// The address of its documentation.
    pub(crate) fn url(&self) -> Option<String> {
        (!self.slug.is_empty()).then(|| format!("https://docs.docker.com/go/dockerfile/rule/{}/", self.slug))
    }
}

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Warning {
    /// The check.
    pub(crate) rule: Rule,
    /// What it says.
    pub(crate) message: String,
    /// Where.
    pub(crate) span: Span,
}

/// Which checks are left out, and whether the others are errors: `skip=A,B;error=true`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    skip: Vec<String>,
    skips_all: bool,
    experimental: Vec<String>,
    has_all_experimental: bool,
    /// What is found ends the build.
    pub(crate) is_error: bool,
}

impl Selection {
    /// Reads `# check=`, or the argument `BUILDKIT_DOCKERFILE_CHECK`.
    pub(crate) fn new(text: &str, span: Span) -> Result<Self, Problem> {
        let mut found = Self::default();
        let wrong = |message: String| Problem::new(span, message);
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (key, value) =
                part.split_once('=').map(|(key, value)| (key.trim(), value.trim())).unwrap_or((part, ""));
            match key {
                "skip" => (found.skip, found.skips_all) = (list(value), value == "all"),
                "experimental" => {
                    (found.experimental, found.has_all_experimental) = (list(value), value == "all");
                }
                "error" => {
                    found.is_error = match value {
                        "true" | "1" | "t" | "T" | "TRUE" | "True" => true,
                        "false" | "0" | "f" | "F" | "FALSE" | "False" => false,
                        _ => {
                            return Err(wrong(format!(
                                "`error` must be true or false, not `{}`",
                                value.escape_debug()
                            )));
                        }
                    };
                }
                _ => {
                    let message = format!("`{}` is no option of checks", key.escape_debug());
                    let problem = wrong(message).with_hint("they are skip=NAME,…, error=true and experimental=NAME,…");
                    return Err(problem.with_nearest(nearest(key, ["skip", "error", "experimental"])));
                }
            }
        }
        Ok(found)
    }

    /// Whether a check is made.
    pub(crate) fn has(&self, rule: &Rule) -> bool {
        let is_asked = self.has_all_experimental || self.experimental.iter().any(|name| name == rule.name);
        let is_skipped = self.skips_all || self.skip.iter().any(|name| name == rule.name);
        !is_skipped && (*rule != INVALID_DESCRIPTION || is_asked)
    }
}

fn list(value: &str) -> Vec<String> {
    value.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_left_out_by_name() {
        let select = |text: &str| Selection::new(text, Span::default()).map_err(|problem| problem.message);
        let found = select("skip=StageNameCasing, FromAsCasing; error=true").expect("options");
        assert!(!found.has(&FROM_AS_CASING) && found.has(&UNDEFINED_VAR) && found.is_error);
        assert!(!select("skip=all").expect("options").has(&UNDEFINED_VAR));
        assert!(!select("").expect("options").has(&INVALID_DESCRIPTION));
        assert!(select("experimental=all").expect("options").has(&INVALID_DESCRIPTION));
        assert_eq!(select("skpi=x"), Err("`skpi` is no option of checks".to_owned()));
        assert_eq!(select("error=maybe"), Err("`error` must be true or false, not `maybe`".to_owned()));
        assert_eq!(ALL.len(), 22);
    }
}
