//! The Lua scripts. Each is what it shares with others, such as `lua/policies.lua`, and its own file.

use crate::cache::Script;

pub(super) static RESERVE: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/identity.lua"), include_str!("lua/reserve.lua")),
    sha1: "e77e188c5af2b22ca70612bb4fef0a2753c74019",
};

pub(super) static PEEK: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/identity.lua"), include_str!("lua/peek.lua")),
    sha1: "78a636775bafd820990ee46f8ed1fe9d4dbda354",
};

pub(super) static SETTLE: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/settle.lua")),
    sha1: "1d714092a76162cd5d711fe8baf4471d5f151ba5",
};

pub(super) static RELEASE: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/release.lua")),
    sha1: "addc0e52e1ce6aac4a8049176f06ec707a559abe",
};

pub(super) static EXTEND: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/extend.lua")),
    sha1: "8d4225a05ae7b4ae6eb817854ed673a726e94200",
};

pub(super) static OPEN: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/open.lua")),
    sha1: "4a931e65901a1337e3e5e93101402816a5d08ebe",
};

pub(super) static FORGET: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/forget.lua")),
    sha1: "cb367e466c950e9511a515446ef2fa1fc02f4bd8",
};

pub(super) static FIGURES: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/figures.lua")),
    sha1: "2f59205d0597ef281508091d83178ca4f331f620",
};

pub(super) static DROP: Script = Script {
    text: concat!(include_str!("lua/policies.lua"), include_str!("lua/drop.lua")),
    sha1: "84878c4906b8bcde7bbfd2e988cc8a13bc2b254a",
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
