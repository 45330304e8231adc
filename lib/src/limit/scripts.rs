//! The Lua scripts. Each is what it shares with others, such as `lua/policies.lua`, and its own file.

use crate::cache::Script;

pub(super) static RESERVE: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/identity.lua"), include_str!("lua/reserve.lua")),
    sha1: "93a700912dfdcb42c5a98a49329567c66930bb45",
};

pub(super) static PEEK: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/identity.lua"), include_str!("lua/peek.lua")),
    sha1: "b4dcf81fcb98870350880eef3a8b4cee444ff90d",
};

pub(super) static SETTLE: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/settle.lua")),
    sha1: "81be63cd3a5885788d8554397b4a60ee70801986",
};

pub(super) static RELEASE: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/release.lua")),
    sha1: "675a87efbe91babfd4d678f2e168e474a5ae640f",
};

pub(super) static EXTEND: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/extend.lua")),
    sha1: "f8739dcd7e63971de593b94c5cdce084825b544e",
};

pub(super) static OPEN: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/open.lua")),
    sha1: "4655649b83f994f1b08152f487d993072fd4eda5",
};

pub(super) static FORGET: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/forget.lua")),
    sha1: "a104630f48b258fb34d1402a42babd5cac4a9676",
};

pub(super) static FIGURES: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/figures.lua")),
    sha1: "7caeaedc0a48ca1fb655740bdc83ff66da99742c",
};

pub(super) static DROP: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/drop.lua")),
    sha1: "d6ed59caab67df84e3c4ff40e8c2318854fc7b16",
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
