use crate::plan::Request;

/// The IDs of the container, and the users that it knows.
#[derive(Debug, Default, clap::Args)]
pub(super) struct UserArgs {
    /// GID map to use for the user namespace: CONTAINER:FROM[:AMOUNT]
    #[arg(long, value_name = "MAP")]
    gidmap: Vec<String>,
    /// Entry to write to /etc/group, with $GROUPNAME, $GID and $USERLIST
    #[arg(long, value_name = "ENTRY")]
    group_entry: Option<String>,
    /// Host user account to add to /etc/passwd within container
    #[arg(long, value_name = "USER")]
    hostuser: Vec<String>,
    /// Add entries to /etc/passwd and /etc/group (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    passwd: Option<bool>,
    /// Entry to write to /etc/passwd, with $USERNAME, $UID, $GID, $NAME and $HOME
    #[arg(long, value_name = "ENTRY")]
    passwd_entry: Option<String>,
    /// Name of range listed in /etc/subgid for use in the user namespace
    #[arg(long, value_name = "NAME")]
    subgidname: Option<String>,
    /// Name of range listed in /etc/subuid for use in the user namespace
    #[arg(long, value_name = "NAME")]
    subuidname: Option<String>,
    /// UID map to use for the user namespace: CONTAINER:FROM[:AMOUNT]
    #[arg(long, value_name = "MAP")]
    uidmap: Vec<String>,
    /// User namespace to use: host, keep-id[:OPTIONS], nomap, auto[:OPTIONS], private, container:NAME or ns:PATH
    #[arg(long, value_name = "MODE")]
    userns: Option<String>,
}

impl UserArgs {
    /// Fills in this part of the request.
    pub(super) fn fill(self, request: &mut Request) {
        request.gidmap = self.gidmap;
        request.group_entry = self.group_entry;
        request.host_users = self.hostuser;
        request.passwd = self.passwd;
        request.passwd_entry = self.passwd_entry;
        request.subgidname = self.subgidname;
        request.subuidname = self.subuidname;
        request.uidmap = self.uidmap;
        request.userns = self.userns;
    }
}
