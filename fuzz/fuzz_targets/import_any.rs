//! Sources of one's own cloud: any bytes are read to an end, and what is read holds together.

use sglab::import::{Text, read, topology_of};
use sglab::reach::compare;

/// More groups or interfaces take longer than a fuzzer likes.
const MAX_ITEMS: usize = 60;

/// Reads bytes as a source, and does with them all that needs no lab. Gives what is wrong with the topology that is made of them: a source
/// that contradicts itself is refused with its words.
pub fn import_any(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let account = match read(&[Text { name: "fuzz.json".to_owned(), text: text.into() }], None) {
        Ok(account) => account,
        Err(faults) => {
            let told = faults.to_string();
            assert!(told.starts_with("error: "), "{told}");
            return None;
        }
    };
    if account.groups.len() + account.interfaces.len() > MAX_ITEMS {
        return None;
    }
    let difference = compare(&account, &account);
    assert!(difference.is_empty(), "{difference:?}");
    let written = topology_of(&account);
    let problems = written.topology("fuzz.json", "").err()?.to_string();
    assert!(problems.starts_with("error: "), "{problems}");
    Some(problems + "\n" + &written.builder.to_yaml())
}
