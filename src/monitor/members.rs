//! The members of a pod, for the pod's monitor: each has a connection as long as it runs (`pod`).
//!
//! All of them have the pod's `/etc/hosts`, in which the pod's monitor has a line for each that runs. It writes in
//! place, since the file is mounted, and changes its own lines only: a container may have written others. Source:
//! podman, `getLocalhostHostEntry`.

use super::files;
use super::parts::Parts;
use super::program::AskedBy;

impl Parts {
    /// A member is about to run, or has other names from now on.
    pub(super) fn member_joins(&mut self, id: u64, names: Vec<String>) {
        // A name that is missing there is no reason to refuse the member.
        drop(files::add_names(self.records.directory(), &names));
        if let Some(before) = self.connections.set_member(id, names) {
            drop(files::remove_names(self.records.directory(), &before));
        }
        self.tell_networks();
    }

    /// Others in the pod's networks find its members by their names.
    fn tell_networks(&mut self) {
        let names: Vec<String> = self.connections.members().flatten().cloned().collect();
        self.networks.name_others(&names);
    }

    /// A member has ended. With the policy `stop` the pod ends with the last one.
    pub(super) fn member_leaves(&mut self, names: &[String]) {
        drop(files::remove_names(self.records.directory(), names));
        self.tell_networks();
        if self.ends_with_members && self.connections.members().next().is_none() {
            self.stop(AskedBy::System, None, None);
        }
    }

    /// Adds the lines of all members to a file that was written anew.
    pub(super) fn name_members(&self) {
        for names in self.connections.members() {
            drop(files::add_names(self.records.directory(), names));
        }
    }
}
