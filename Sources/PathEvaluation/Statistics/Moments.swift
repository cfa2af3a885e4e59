import CKernels
import DenseMath

/// Count, mean and variance of numbers that are added singly or in blocks; moments can be merged.
///
/// Squares are taken about the first number, so that equal numbers have a variance of exactly zero
/// and a large mean costs no precision.
public struct Moments: Hashable, Sendable {
    public private(set) var count = 0
    /// The first number.
    public private(set) var origin = 0.0
    private var total = CompensatedSum()
    private var first = CompensatedSum()
    private var second = CompensatedSum()

    public init() {}

    /// Adds one number.
    @inline(__always)
    public mutating func add(_ value: Double) {
        if count == 0 { origin = value }
        count &+= 1
        total.add(value)
        let distance = value - origin
        first.add(distance)
        second.add(distance * distance)
    }

    /// Adds a block's sums of the numbers, of their differences from `origin`, and of the squares
    /// of those.
    ///
    /// `begin` must be called before the first block.
    @inline(__always)
    mutating func add(count number: Int, _ sums: ck_moments) {
        count &+= number
        total.add(sums.total)
        first.add(sums.first)
        second.add(sums.second)
    }

    /// Sets the origin for blocks; it has no effect once there are numbers.
    @inline(__always)
    mutating func begin(at value: Double) {
        if count == 0 { origin = value }
    }

    /// Adds all numbers of the other moments.
    public mutating func merge(_ other: Moments) {
        guard other.count > 0 else { return }
        guard count > 0 else {
            self = other
            return
        }
        // The other sums are shifted to this origin: (x - o) = (x - o') + d.
        let shift = other.origin - origin
        let number = Double(other.count)
        second.add(other.second)
        second.add(2 * shift * other.first.value)
        second.add(number * shift * shift)
        first.add(other.first)
        first.add(number * shift)
        total.add(other.total)
        count &+= other.count
    }

    /// Writes or reads all numbers.
    mutating func transfer(_ stream: inout NumberStream) {
        stream.pass(&count)
        stream.pass(&origin)
        stream.pass(&total)
        stream.pass(&first)
        stream.pass(&second)
    }

    public var sum: Double { total.value }

    /// NaN if there are no numbers.
    public var mean: Double { count == 0 ? .nan : total.value / Double(count) }

    /// Sum of squared distances from the mean.
    public var scatter: Double {
        guard count > 1 else { return 0 }
        return max(0, second.value - first.value * first.value / Double(count))
    }

    /// Unbiased sample variance (divisor n - 1); zero for fewer than two numbers.
    public var variance: Double { count > 1 ? scatter / Double(count - 1) : 0 }

    /// Standard error of the mean.
    public var standardError: Double {
        count > 1 ? (variance / Double(count)).squareRoot() : 0
    }
}
