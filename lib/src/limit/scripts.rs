//! The Lua scripts. Each is what it shares with others, such as `lua/policies.lua`, and its own file.

use crate::cache::Script;

pub(super) static RESERVE: Script = Script {
    text: concat!(
        include_str!("lua/policies.lua"),
        include_str!("lua/standing.lua"),
        include_str!("lua/identity.lua"),
        include_str!("lua/reserve.lua"),
    ),
    sha1: "a0f2a40bf491c774c1d8143f659600fca9bf2eaa",
};

pub(super) static PEEK: Script = Script {
    text: concat!(
        include_str!("lua/policies.lua"),
        include_str!("lua/standing.lua"),
        include_str!("lua/identity.lua"),
        include_str!("lua/peek.lua"),
    ),
    sha1: "5f1190cfa30e2c233b8ae24a975fc700381f026c",
};

pub(super) static SETTLE: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/settle.lua")),
    sha1: "bbde892fc9631a92a79114ff67005a35e6107ed8",
};

pub(super) static RELEASE: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/release.lua")),
    sha1: "83a2384b76dc9c5f63a4ba5d0763e55162eccd8e",
};

pub(super) static EXTEND: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/extend.lua")),
    sha1: "d865e284b660d2832f87a2556a99a3267b126b2e",
};

pub(super) static OPEN: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/open.lua")),
    sha1: "bf800ccedf5e7c78aa35d5520f1472d5dca85acc",
};

pub(super) static FORGET: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/forget.lua")),
    sha1: "3bb6e568d4f7e23946173e16bd0ebe2ba82c13ac",
};

pub(super) static FIGURES: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/figures.lua")),
    sha1: "3c38d02ddc75494524d5dbe534cdde5090257f90",
};

pub(super) static DROP: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/drop.lua")),
    sha1: "dfc0633a0c5b7f4e5f85261844d6323a979277f9",
};

/// What is noted about an identity; it needs no policies.
pub(super) static NOTE: Script =
    Script { text: include_str!("lua/note.lua"), sha1: "d71c85da760a0562e4b885680d9375d41b133f47" };

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&Script; 10] = [&RESERVE, &PEEK, &SETTLE, &RELEASE, &EXTEND, &OPEN, &FORGET, &FIGURES, &DROP, &NOTE];

    #[test]
    fn every_script_has_its_own_hash() {
        for script in ALL {
            assert_eq!(script.sha1, script.computed_sha1());
        }
    }

    #[test]
    fn plain_redis_takes_every_script() {
        for script in ALL {
            assert!(!script.text.contains("#!"), "Redis 7.0 refuses a shebang line with flags it does not know");
        }
    }
}
