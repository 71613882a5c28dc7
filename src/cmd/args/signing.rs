//! `--sign-by`.

use std::path::PathBuf;

use crate::image::sign::Signer;

/// Options of commands that push and sign.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct SigningArgs {
    /// Sign what is pushed by this key of gpg, for policies that ask for it (simple signing)
    #[arg(long, value_name = "KEY")]
    sign_by: Option<String>,
    /// Read the passphrase of the key from the first line of the file
    #[arg(long, value_name = "FILE", requires = "sign_by")]
    sign_passphrase_file: Option<PathBuf>,
}

impl SigningArgs {
    /// Who signs.
    pub(crate) fn signer(&self) -> Option<Signer> {
        let passphrase_file = self.sign_passphrase_file.clone();
        self.sign_by.clone().map(|key| Signer { key, passphrase_file })
    }
}
