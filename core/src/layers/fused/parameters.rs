//! The parameters of one encoder layer, in whatever form: slices, tensors, gradients.

/// The two parameters of a linear layer or a layer norm.
#[derive(Clone, Copy, Debug)]
pub struct Pair<T> {
    /// `[in, out]` of a linear layer, gamma of a norm.
    pub weight: T,
    /// `[out]`, beta of a norm.
    pub bias: T,
}

/// All parameters of one encoder layer.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<T> {
    /// First norm: before (ViT) or after (BERT) attention.
    pub norm1: Pair<T>,
    /// D -> D.
    pub query: Pair<T>,
    /// D -> D.
    pub key: Pair<T>,
    /// D -> D.
    pub value: Pair<T>,
    /// D -> D.
    pub output: Pair<T>,
    /// Second norm: before or after the feed-forward part.
    pub norm2: Pair<T>,
    /// D -> F.
    pub expand: Pair<T>,
    /// F -> D.
    pub contract: Pair<T>,
}

/// How many tensors a layer has.
pub const COUNT: usize = 16;

impl<T> Parameters<T> {
    /// In a fixed order.
    pub fn into_array(self) -> [T; COUNT] {
        let Self { norm1, query, key, value, output, norm2, expand, contract } = self;
        let pairs = [norm1, query, key, value, output, norm2, expand, contract];
        let mut flat = pairs.into_iter().flat_map(|pair| [pair.weight, pair.bias]);
        std::array::from_fn(|_| flat.next().expect("eight pairs"))
    }

    /// The same of something else.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Parameters<U> {
        let mut map = |pair: Pair<T>| Pair { weight: f(pair.weight), bias: f(pair.bias) };
        Parameters {
            norm1: map(self.norm1),
            query: map(self.query),
            key: map(self.key),
            value: map(self.value),
            output: map(self.output),
            norm2: map(self.norm2),
            expand: map(self.expand),
            contract: map(self.contract),
        }
    }

    /// References to all.
    pub fn each_ref(&self) -> Parameters<&T> {
        Parameters {
            norm1: self.norm1.each_ref(),
            query: self.query.each_ref(),
            key: self.key.each_ref(),
            value: self.value.each_ref(),
            output: self.output.each_ref(),
            norm2: self.norm2.each_ref(),
            expand: self.expand.each_ref(),
            contract: self.contract.each_ref(),
        }
    }
}

impl<T> Pair<T> {
    fn each_ref(&self) -> Pair<&T> {
        Pair { weight: &self.weight, bias: &self.bias }
    }
}
