import CKernels

/// Loops over the rows of one block.
///
/// Maps are written so that they vectorise; sums run in eight lanes of at most 32 terms, and the
/// results are added with compensation, so the error does not grow with the number of blocks.
enum Kernels {
    typealias Column = UnsafePointer<Double>
    typealias Output = UnsafeMutablePointer<Double>

    @inline(__always)
    private static func load(_ column: Column, _ index: Int) -> SIMD4<Double> {
        UnsafeRawPointer(column + index).loadUnaligned(as: SIMD4<Double>.self)
    }

    @inline(__always)
    private static func total(_ lanes: SIMD4<Double>) -> Double {
        (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
    }

    /// Sums of x x, x y and y y.
    static func products(
        _ x: Column, _ y: Column, _ count: Int
    ) -> (xx: Double, xy: Double, yy: Double) {
        var (s0, s1, s2) = (SIMD4<Double>(), SIMD4<Double>(), SIMD4<Double>())
        var index = 0
        while index &+ 4 <= count {
            let (a, b) = (load(x, index), load(y, index))
            s0 += a * a
            s1 += a * b
            s2 += b * b
            index &+= 4
        }
        var sums = (xx: total(s0), xy: total(s1), yy: total(s2))
        while index < count {
            sums.xx += x[index] * x[index]
            sums.xy += x[index] * y[index]
            sums.yy += y[index] * y[index]
            index &+= 1
        }
        return sums
    }

    /// Sums of x, x x, x y, z x and z y.
    static func products(
        _ x: Column, _ y: Column, _ z: Column, _ count: Int
    ) -> (x: Double, xx: Double, xy: Double, zx: Double, zy: Double) {
        var (s0, s1, s2) = (SIMD4<Double>(), SIMD4<Double>(), SIMD4<Double>())
        var (s3, s4) = (SIMD4<Double>(), SIMD4<Double>())
        var index = 0
        while index &+ 4 <= count {
            let (a, b, c) = (load(x, index), load(y, index), load(z, index))
            s0 += a
            s1 += a * a
            s2 += a * b
            s3 += c * a
            s4 += c * b
            index &+= 4
        }
        var sums = (
            x: total(s0), xx: total(s1), xy: total(s2), zx: total(s3), zy: total(s4)
        )
        while index < count {
            sums.x += x[index]
            sums.xx += x[index] * x[index]
            sums.xy += x[index] * y[index]
            sums.zx += z[index] * x[index]
            sums.zy += z[index] * y[index]
            index &+= 1
        }
        return sums
    }

    /// Adds a block of numbers to their moments; returns the added sums.
    @discardableResult
    static func add(_ x: Column, _ count: Int, to moments: inout Moments) -> ck_moments {
        guard count > 0 else { return ck_moments() }
        moments.begin(at: x[0])
        let sums = ck_plain_moments(x, count, moments.origin)
        moments.add(count: count, sums)
        return sums
    }

    /// Adds a block of base + rule(w) target, or of rule(w) target without a base, to their
    /// moments.
    static func add(
        _ rule: WeightRule, _ weights: Column, _ target: Column, _ base: Column?, _ count: Int,
        to moments: inout Moments
    ) {
        guard count > 0 else { return }
        let (name, lambda) = rule.code
        if moments.count == 0 {
            moments.begin(at: ck_weighted_score(name, lambda, weights, target, base))
        }
        moments.add(
            count: count,
            ck_weighted_moments(
                name, lambda, weights, target, base, count, moments.origin))
    }

    /// The least and the greatest of at least one number.
    static func extremes(_ x: Column, _ count: Int) -> (least: Double, most: Double) {
        var least = SIMD4<Double>(repeating: x[0])
        var most = least
        var index = 0
        while index &+ 4 <= count {
            let a = load(x, index)
            least.replace(with: a, where: a .< least)
            most.replace(with: a, where: a .> most)
            index &+= 4
        }
        var (low, high) = (least.min(), most.max())
        while index < count {
            low = min(low, x[index])
            high = max(high, x[index])
            index &+= 1
        }
        return (low, high)
    }

    /// Compacts the numbers whose flag is one; returns how many there are.
    static func pack(
        _ x: Column, where flags: UnsafePointer<Int64>, _ count: Int, into output: Output
    ) -> Int {
        var packed = 0
        for i in 0..<count {
            output[packed] = x[i]
            // This avoids a branch, which would be unpredictable.
            packed &+= Int(truncatingIfNeeded: flags[i])
        }
        return packed
    }
}

extension WeightRule {
    /// Whether it leaves weights up to `most` unchanged.
    func keeps(upTo most: Double) -> Bool {
        switch self {
        case .plain: true
        case .clip(let lambda), .switchOff(let lambda): most <= lambda
        case .shrink, .subGaussian: false
        }
    }

    /// The rule's code for the kernels, with its number.
    fileprivate var code: (ck_rule, Double) {
        switch self {
        case .plain: (CK_PLAIN, 0)
        case .clip(let lambda): (CK_CLIP, lambda)
        case .switchOff(let lambda): (CK_SWITCH, lambda)
        case .shrink(let lambda): (CK_SHRINK, lambda)
        case .subGaussian(let lambda): (CK_CORRECT, lambda)
        }
    }
}
