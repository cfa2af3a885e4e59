/// Loops over the rows of one block.
///
/// Maps are written so that they vectorise; sums run in eight lanes of at most 32 terms, and what
/// comes out is added up with compensation, so the error does not grow with the number of blocks.
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

    /// Sum of numbers.
    static func sum(_ x: Column, _ count: Int) -> Double {
        var (s0, s1) = (SIMD4<Double>(), SIMD4<Double>())
        var index = 0
        while index &+ 8 <= count {
            s0 += load(x, index)
            s1 += load(x, index &+ 4)
            index &+= 8
        }
        var sum = total(s0 + s1)
        while index < count {
            sum += x[index]
            index &+= 1
        }
        return sum
    }

    /// Sum of products.
    static func dot(_ x: Column, _ y: Column, _ count: Int) -> Double {
        var (s0, s1) = (SIMD4<Double>(), SIMD4<Double>())
        var index = 0
        while index &+ 8 <= count {
            s0 += load(x, index) * load(y, index)
            s1 += load(x, index &+ 4) * load(y, index &+ 4)
            index &+= 8
        }
        var sum = total(s0 + s1)
        while index < count {
            sum += x[index] * y[index]
            index &+= 1
        }
        return sum
    }

    /// Adds a block of numbers to their moments.
    static func add(_ x: Column, _ count: Int, to moments: inout Moments) {
        guard count > 0 else { return }
        moments.begin(at: x[0])
        let origin = moments.origin
        let center = SIMD4<Double>(repeating: origin)
        var (t0, t1) = (SIMD4<Double>(), SIMD4<Double>())
        var (f0, f1) = (SIMD4<Double>(), SIMD4<Double>())
        var (s0, s1) = (SIMD4<Double>(), SIMD4<Double>())
        var index = 0
        while index &+ 8 <= count {
            let (a, b) = (load(x, index), load(x, index &+ 4))
            t0 += a
            t1 += b
            let (c, d) = (a - center, b - center)
            f0 += c
            f1 += d
            s0 += c * c
            s1 += d * d
            index &+= 8
        }
        var sum = total(t0 + t1)
        var first = total(f0 + f1)
        var second = total(s0 + s1)
        while index < count {
            sum += x[index]
            let distance = x[index] - origin
            first += distance
            second += distance * distance
            index &+= 1
        }
        moments.add(count: count, total: sum, first: first, second: second)
    }

    /// The largest number, zero at the least.
    static func maximum(_ x: Column, _ count: Int) -> Double {
        var lanes = SIMD4<Double>()
        var index = 0
        while index &+ 4 <= count {
            let a = load(x, index)
            lanes.replace(with: a, where: a .> lanes)
            index &+= 4
        }
        var largest = max(max(lanes[0], lanes[1]), max(lanes[2], lanes[3]))
        while index < count {
            largest = max(largest, x[index])
            index &+= 1
        }
        return largest
    }

    /// `output` = base + rule(w) target, or without base.
    static func scores(
        _ rule: WeightRule, _ weights: Column, _ target: Column, _ base: Column?, _ count: Int,
        into output: Output
    ) {
        switch rule {
        case .plain:
            for i in 0..<count { output[i] = weights[i] * target[i] }
        case .clip(let lambda):
            for i in 0..<count {
                output[i] = (weights[i] < lambda ? weights[i] : lambda) * target[i]
            }
        case .switchOff(let lambda):
            for i in 0..<count {
                output[i] = (weights[i] <= lambda ? weights[i] : 0) * target[i]
            }
        case .shrink(let lambda):
            guard lambda > 0 else {
                for i in 0..<count { output[i] = 0 }
                break
            }
            for i in 0..<count {
                let w = weights[i]
                output[i] = lambda * w / (w * w + lambda) * target[i]
            }
        case .subGaussian(let lambda):
            // The floor keeps 0 / 0 out for lambda = 1.
            for i in 0..<count {
                let bottom = (1 - lambda) + lambda * weights[i]
                output[i] = weights[i] / (bottom > 1e-300 ? bottom : 1e-300) * target[i]
            }
        }
        guard let base else { return }
        for i in 0..<count { output[i] = base[i] + output[i] }
    }
}
