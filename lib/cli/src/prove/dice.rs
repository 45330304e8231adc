//! Chance that a seed repeats: SplitMix64 (Steele, Lea, Flood 2014). Written out here, because a crate may change its
//! numbers from one version to the next.

/// A die.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// A die of its own for every name: what one scenario throws does not change the next one.
    pub(super) fn named(seed: u64, name: &str) -> Self {
        // FNV-1a
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(seed ^ hash)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to before `sides`; 0 where there are none.
    pub(super) fn below(&mut self, sides: u64) -> u64 {
        self.next().checked_rem(sides).unwrap_or(0)
    }

    /// A place in a list of that length.
    pub(super) fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// Whether something happens that happens once in so many times.
    pub(super) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_throws_and_another_name_has_others() {
        let throws = |mut dice: Dice| (0..20).map(|_| dice.below(1_000)).collect::<Vec<_>>();
        assert_eq!(throws(Dice::named(7, "a")), throws(Dice::named(7, "a")));
        assert_ne!(throws(Dice::named(7, "a")), throws(Dice::named(7, "b")));
        assert_ne!(throws(Dice::named(7, "a")), throws(Dice::named(8, "a")));
        assert_eq!(Dice::named(0, "").below(0), 0);
    }
}
