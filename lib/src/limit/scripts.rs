//! The Lua scripts. Each is `lua/policies.lua` and its own file, one after the other.

use crate::cache::Script;

pub(super) static RESERVE: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/reserve.lua")),
    sha1: "407c0a582b805422a87bf64b88f2f75c2cc35557",
};

pub(super) static PEEK: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/peek.lua")),
    sha1: "379ce2705780ec601acce369a61552347fc8692c",
};

pub(super) static SETTLE: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/settle.lua")),
    sha1: "005b98f818e5b0fd7615c624bd2e39ecb7609258",
};

pub(super) static RELEASE: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/release.lua")),
    sha1: "8a08383b39057c8abdc8baa44532582a98cd9ebf",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_has_its_own_hash() {
        for script in [&RESERVE, &PEEK, &SETTLE, &RELEASE] {
            assert_eq!(script.sha1, script.computed_sha1());
        }
    }

    #[test]
    fn plain_redis_takes_every_script() {
        for script in [&RESERVE, &PEEK, &SETTLE, &RELEASE] {
            assert!(!script.text.contains("#!"), "Redis 7.0 refuses a shebang line with flags it does not know");
        }
    }
}
