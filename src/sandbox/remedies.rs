//! Remedies where no lab can be hosted.

use std::fs;
use std::path::Path;

use nix::unistd::geteuid;

/// Remedy where there is no nft.
pub const NO_NFT: &str = "install it: apt-get install nftables";

pub(crate) const APPARMOR: &str = "kernel.apparmor_restrict_unprivileged_userns";

/// The AppArmor profile for one program, with places for its name and path.
const PROFILE: &str = include_str!("../../scripts/sglab.apparmor");

/// Returns the remedy where no sandbox can be made: the same words as `scripts/demo` has.
pub fn remedy() -> String {
    if let Some(remedy) = limit_remedy() {
        return remedy;
    }
    if geteuid().is_root() {
        return "this root may not make namespaces: in a container, run it with CAP_SYS_ADMIN and without a seccomp \
                filter that forbids unshare and mount (docker run --privileged), or outside of it"
            .into();
    }
    let program = std::env::current_exe().unwrap_or_else(|_| "sglab".into());
    if setting_is(APPARMOR, "1") {
        return apparmor_remedy(&program);
    }
    format!("{}; in a container, run it without a seccomp filter that forbids unshare and mount", as_root(&program))
}

/// Settings of the system's about user namespaces: where one is 0 an ordinary user has none.
pub(crate) const USER_NAMESPACES: [&str; 2] = ["user.max_user_namespaces", "kernel.unprivileged_userns_clone"];

/// Settings of the system's about the other namespaces of a lab and its instances: where one is 0 nobody has any.
pub(crate) const OTHER_NAMESPACES: [&str; 6] = [
    "user.max_net_namespaces",
    "user.max_mnt_namespaces",
    "user.max_pid_namespaces",
    "user.max_ipc_namespaces",
    "user.max_uts_namespaces",
    "user.max_cgroup_namespaces",
];

/// Returns the remedy where a limit of the system's leaves no namespaces at all; nothing where none does.
pub fn limit_remedy() -> Option<String> {
    let limit = USER_NAMESPACES.into_iter().chain(OTHER_NAMESPACES).find(|name| setting_is(name, "0"))?;
    let program = std::env::current_exe().unwrap_or_else(|_| "sglab".into());
    Some(format!("{limit} is 0: {}", as_root(&program)))
}

fn as_root(program: &Path) -> String {
    let program = program.display();
    format!("run it as root (sudo {program}), or ask whoever runs this machine to allow user namespaces")
}

fn setting_is(name: &str, value: &str) -> bool {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    fs::read_to_string(path).is_ok_and(|found| found.trim() == value)
}

fn apparmor_remedy(program: &Path) -> String {
    let path = program.display().to_string();
    let name = path.trim_start_matches('/').replace('/', ".");
    let file = format!("/etc/apparmor.d/{name}");
    let profile = PROFILE.replace("@NAME@", &name).replace("@BINARY@", &path);
    format!(
        "An ordinary user may not host a lab on this machine: {APPARMOR} is 1.\n\
         Either give this one program the right, by this AppArmor profile in {file}:\n\n{profile}\n    \
         which is loaded by    sudo apparmor_parser -r {file}\n\
         or run the lab as root:   sudo {path} ..."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_names_the_program_twice() {
        let text = apparmor_remedy(Path::new("/home/me/a b/sglab"));
        assert!(text.contains("profile \"home.me.a b.sglab\" \"/home/me/a b/sglab\" flags=(unconfined)"), "{text}");
        assert!(text.contains("/etc/apparmor.d/home.me.a b.sglab") && !text.contains('@'));
    }
}
