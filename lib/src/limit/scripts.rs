//! The Lua scripts. Each is what it shares with others, such as `lua/policies.lua`, and its own file.

use crate::cache::Script;

pub(super) static RESERVE: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/identity.lua"), include_str!("lua/reserve.lua")),
    sha1: "72fffc6fb1359bf54e1c29e0d02d0d99a8904238",
};

pub(super) static PEEK: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/identity.lua"), include_str!("lua/peek.lua")),
    sha1: "db13919d2456f4f1426c3ac31a8f2e55e8754961",
};

pub(super) static SETTLE: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/settle.lua")),
    sha1: "d4f5dc5026d6da4eb9be72c04447fc63245a1bb4",
};

pub(super) static RELEASE: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/release.lua")),
    sha1: "00e0c673c863b75bd44acc3f147bbf2668e47431",
};

pub(super) static EXTEND: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/extend.lua")),
    sha1: "55219645b0b2f5328cb54b6e7fa8581f5326ef3e",
};

pub(super) static OPEN: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/open.lua")),
    sha1: "f92df4997320dac116890e009c8633f6055d43b3",
};

pub(super) static FORGET: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/forget.lua")),
    sha1: "42fe8dad9e4cf181aac338b5c224f72183f8d381",
};

pub(super) static FIGURES: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/figures.lua")),
    sha1: "604140862c421d3553b8d213926bbd943f7773c8",
};

pub(super) static DROP: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/drop.lua")),
    sha1: "08f51baf563f268d8e54edbc5b848d09f8a1de57",
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
