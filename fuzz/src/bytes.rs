//! From the bytes of a fuzzer to the arguments of a call.
//!
//! Small on purpose: the same bytes mean the same arguments on every machine and in every version, so that a regression
//! stays what it was. What is read behind the end is zero.

/// Numbers at which arithmetic breaks: both ends of the range, both sides of 0 and of 1, and what is no number.
const EXTREMES: [f64; 16] = [
    0.0,
    -0.0,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    -f64::MIN_POSITIVE,
    5e-324,
    f64::EPSILON,
    1.0 + f64::EPSILON,
    1.0 - f64::EPSILON / 2.0,
    1e154,
    -1e-154,
    9_007_199_254_740_993.0,
];

/// What is left of an input.
pub struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    /// The whole input.
    pub fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.rest.split_first() else {
            return 0;
        };
        self.rest = rest;
        first
    }

    /// A count from `least` to `most`, both included.
    pub fn count(&mut self, least: usize, most: usize) -> usize {
        least + usize::from(self.byte()) % (most - least + 1)
    }

    /// One of the given values.
    pub fn pick<T: Copy, const N: usize>(&mut self, values: [T; N]) -> T {
        values[usize::from(self.byte()) % N]
    }

    /// Eight bytes.
    pub fn bits(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// A number from -128 to 128 in steps of 1/256.
    pub fn tame(&mut self) -> f64 {
        let pair = [self.byte(), self.byte()];
        f64::from(i16::from_le_bytes(pair)) / 256.0
    }

    /// Any f64 at all: mostly tame, now and then an extreme, another size or 64 bits as they come.
    pub fn number(&mut self) -> f64 {
        match self.byte() % 16 {
            0 => f64::from_bits(self.bits()),
            1 => self.pick(EXTREMES),
            2 => {
                let exponent = i32::from(self.byte() as i8) * 8;
                self.tame() * 2f64.powi(exponent)
            }
            _ => self.tame(),
        }
    }

    /// A finite number, at least 0.
    pub fn size(&mut self) -> f64 {
        let number = self.number().abs();
        if number.is_finite() { number } else { 1.0 }
    }

    /// Numbers that belong together. Their first byte says what they are like, so that inputs in which every number is
    /// finite, or of one size, or on a distant offset, are not a matter of luck.
    pub fn numbers(&mut self, n: usize) -> Vec<f64> {
        match self.byte() % 8 {
            0..=3 => (0..n).map(|_| self.tame()).collect(),
            4 | 5 => {
                let (offset, scale) = (self.size(), self.size());
                let finite = |x: f64| if x.is_finite() { x } else { offset };
                (0..n)
                    .map(|_| finite(offset + scale * self.tame()))
                    .collect()
            }
            6 => {
                let finite = |x: f64| if x.is_finite() { x } else { 0.0 };
                (0..n).map(|_| finite(self.number())).collect()
            }
            _ => (0..n).map(|_| self.number()).collect(),
        }
    }

    /// All that is left, as it is.
    pub fn rest(self) -> &'a [u8] {
        self.rest
    }
}
