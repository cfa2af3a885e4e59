extension EstimatorDescriptor {
    /// The estimators of `--estimator`, in the order of help texts.
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
        adaptiveStable,
        adaptiveLeast,
        replay,
        cressieRead,
    ]
}
