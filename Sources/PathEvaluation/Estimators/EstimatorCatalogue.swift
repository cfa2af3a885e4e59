extension EstimatorDescriptor {
    /// The estimators that ship, in the order of help texts: what `--estimator` knows.
    public static let catalogue: [EstimatorDescriptor] = [
        ips,
        ipsClip,
        snips,
        dm,
        dr,
        drClip,
        sndr,
        switchDR,
        drOS,
        sgIPS,
        sgDR,
        subGaussianIPS,
        subGaussianDR,
        mrdr,
        replay,
        cressieRead,
    ]
}
