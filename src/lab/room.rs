//! Mounts that a program lacks that would write below `/var`, where an instance sees the host's files.

/// Errors of the system for a file that cannot be made.
const SAID: [&str; 3] = ["Read-only file system", "No such file or directory", "Permission denied"];

/// The mounts that give a program the folders that its last words miss; nothing where they miss none.
pub(super) fn lacking(said: &str) -> Option<String> {
    let mut folders: Vec<String> = Vec::new();
    for line in said.lines().filter(|line| SAID.iter().any(|words| line.contains(words))) {
        folders.extend(folder(line).filter(|folder| !folders.contains(folder)));
    }
    let mounts: Vec<String> = folders.iter().map(|folder| format!("{folder}: empty")).collect();
    (!mounts.is_empty()).then(|| format!("to give it room of its own there: `mounts: {{{}}}`", mounts.join(", ")))
}

/// `/var/lib/nginx` of a line about `/var/lib/nginx/body`.
fn folder(line: &str) -> Option<String> {
    let path = &line[line.find("/var/")?..];
    let path = path.split(|c: char| c.is_whitespace() || "\"'`:,;()".contains(c)).next()?;
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    (parts.len() > 3 && !parts.contains(&"..")).then(|| format!("/{}", parts[..3].join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_could_not_write_is_told_as_the_mount_that_it_lacks() {
        let nginx = "[alert] could not open error log file: open() \"/var/log/nginx/error.log\" failed (2: No such file or directory)\n\
                     [emerg] 2#2: mkdir() \"/var/lib/nginx/body\" failed (30: Read-only file system)\n\
                     [emerg] 2#2: mkdir() \"/var/lib/nginx/proxy\" failed (30: Read-only file system)\n";
        let told = lacking(nginx).unwrap();
        assert!(told.ends_with("`mounts: {/var/log/nginx: empty, /var/lib/nginx: empty}`"), "{told}");
        for other in
            ["no such luck", "open /var/log/a.log: No such file or directory", "/var/lib/nginx/body: Invalid argument"]
        {
            assert_eq!(lacking(other), None, "{other}");
        }
    }
}
