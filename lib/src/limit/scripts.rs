//! The Lua scripts. Each is what it shares with others, such as `lua/policies.lua`, and its own file.

use crate::cache::Script;

pub(super) static RESERVE: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/identity.lua"), include_str!("lua/reserve.lua")),
    sha1: "b525c6ff2e7042add6a60a62f54a2686fdfc4964",
};

pub(super) static PEEK: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/identity.lua"), include_str!("lua/peek.lua")),
    sha1: "62bdeeda0a04f646a605a7bad849c67155d01398",
};

pub(super) static SETTLE: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/settle.lua")),
    sha1: "005b98f818e5b0fd7615c624bd2e39ecb7609258",
};

pub(super) static RELEASE: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/release.lua")),
    sha1: "8a08383b39057c8abdc8baa44532582a98cd9ebf",
};

/// What is noted about an identity; it needs no policies.
pub(super) static NOTE: Script =
    Script { text: include_str!("lua/note.lua"), sha1: "d71c85da760a0562e4b885680d9375d41b133f47" };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_has_its_own_hash() {
        for script in [&RESERVE, &PEEK, &SETTLE, &RELEASE, &NOTE] {
            assert_eq!(script.sha1, script.computed_sha1());
        }
    }

    #[test]
    fn plain_redis_takes_every_script() {
        for script in [&RESERVE, &PEEK, &SETTLE, &RELEASE, &NOTE] {
            assert!(!script.text.contains("#!"), "Redis 7.0 refuses a shebang line with flags it does not know");
        }
    }
}
