//! Instructions, as typed: nothing is expanded yet.

use super::heredoc::Document;
use super::source::Span;
use super::words::Word;
use crate::types::image_settings::Healthcheck;

/// The names of all instructions.
pub(crate) const NAMES: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// An instruction.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Instruction {
    /// Its name as typed.
    pub(crate) name: Word,
    /// All of it, with its here-documents.
    pub(crate) span: Span,
    /// Its line, joined.
    pub(crate) text: String,
    /// The comments right before it.
    pub(crate) comments: Vec<String>,
    /// The first empty line in it.
    pub(crate) empty_continuation: Option<Span>,
    /// It looks like the JSON form, but is none.
    pub(crate) looks_like_json: bool,
    /// What it says.
    pub(crate) command: Command,
}

/// What an instruction says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    /// `FROM`.
    From(From),
    /// `ARG`: names, each with its default value.
    Arg(Vec<Arg>),
    /// `ENV`.
    Env(Pairs),
    /// `LABEL`.
    Label(Pairs),
    /// `RUN`.
    Run(Run),
    /// `COPY` and `ADD`.
    Copy(Copy),
    /// `CMD`.
    Cmd(Program),
    /// `ENTRYPOINT`.
    Entrypoint(Program),
    /// `EXPOSE`.
    Expose(Vec<Word>),
    /// `VOLUME`.
    Volume(Vec<Word>),
    /// `USER`.
    User(Word),
    /// `WORKDIR`.
    Workdir(Word),
    /// `STOPSIGNAL`.
    StopSignal(Word),
    /// `SHELL`.
    Shell(Vec<String>),
    /// `HEALTHCHECK`; the shell form is `CMD-SHELL`.
    Healthcheck(Healthcheck),
    /// `ONBUILD`: the trigger as text, with its here-documents, and what it says.
    OnBuild(String, Box<Command>),
    /// `MAINTAINER`.
    Maintainer(Word),
}

/// `FROM [--platform=…] image [AS name]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct From {
    /// An image, or the name of a stage.
    pub(crate) image: Word,
    /// The word `AS`, and the name.
    pub(crate) alias: Option<(Word, Word)>,
    /// `--platform`.
    pub(crate) platform: Option<Word>,
}

/// A name of `ARG`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arg {
    /// The name.
    pub(crate) name: Word,
    /// The default value.
    pub(crate) value: Option<Word>,
}

/// The pairs of `ENV` and `LABEL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pairs {
    /// Names and values.
    pub(crate) pairs: Vec<(Word, Word)>,
    /// `ENV name the rest`, the old form.
    pub(crate) is_legacy: bool,
}

/// A program to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Program {
    /// A line for the shell.
    Shell(String),
    /// A program with its arguments.
    Exec(Vec<String>),
}

/// `RUN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// What is run.
    pub(crate) program: Program,
    /// The documents that the line announces.
    pub(crate) documents: Vec<Document>,
    /// `--mount`, as typed.
    pub(crate) mounts: Vec<Word>,
    /// `--network`.
    pub(crate) network: Network,
    /// `--security`.
    pub(crate) security: Security,
    /// `--device`, as typed.
    pub(crate) devices: Vec<Word>,
}

/// `RUN --network`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Network {
    /// That of the build.
    #[default]
    Default,
    /// No network.
    None,
    /// The host's, which the caller must allow.
    Host,
}

/// `RUN --security`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Security {
    /// As every container.
    #[default]
    Sandbox,
    /// All capabilities and no system call filter, which the caller must allow.
    Insecure,
}

/// `COPY` and `ADD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copy {
    /// What is copied, and what is written in place of it.
    pub(crate) sources: Vec<Word>,
    /// Files whose content is in the Dockerfile.
    pub(crate) documents: Vec<Document>,
    /// Where to.
    pub(crate) destination: Word,
    /// `--from`: an image, or the name or number of a stage.
    pub(crate) from: Option<Word>,
    /// `--chown`.
    pub(crate) chown: Option<Word>,
    /// `--chmod`.
    pub(crate) chmod: Option<Word>,
    /// `--link`.
    pub(crate) link: bool,
    /// `--parents`.
    pub(crate) parents: bool,
    /// `--exclude`.
    pub(crate) exclude: Vec<Word>,
    /// What only `ADD` has.
    pub(crate) add: Option<Add>,
}

/// What only `ADD` has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Add {
    /// `--keep-git-dir`.
    pub(crate) keep_git_dir: Option<bool>,
    /// `--checksum`.
    pub(crate) checksum: Option<Word>,
    /// `--unpack`; if it is not given, local archives are unpacked and those of URLs are not.
    pub(crate) unpack: Option<bool>,
}

impl Command {
    /// The instruction's name.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::From(_) => "FROM",
            Self::Arg(_) => "ARG",
            Self::Env(_) => "ENV",
            Self::Label(_) => "LABEL",
            Self::Run(_) => "RUN",
            Self::Copy(Copy { add: None, .. }) => "COPY",
            Self::Copy(_) => "ADD",
            Self::Cmd(_) => "CMD",
            Self::Entrypoint(_) => "ENTRYPOINT",
            Self::Expose(_) => "EXPOSE",
            Self::Volume(_) => "VOLUME",
            Self::User(_) => "USER",
            Self::Workdir(_) => "WORKDIR",
            Self::StopSignal(_) => "STOPSIGNAL",
            Self::Shell(_) => "SHELL",
            Self::Healthcheck(_) => "HEALTHCHECK",
            Self::OnBuild(..) => "ONBUILD",
            Self::Maintainer(_) => "MAINTAINER",
        }
    }
}
