import PathTelemetry
import Pathwise

/// Why an argument is invalid, and what to write instead.
struct SyntaxProblem: Error, Equatable, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}

/// Times: a number and `us`, `ms`, `s`, `min` or `h`.
extension TimeDelta {
    init(argument text: String) throws(SyntaxProblem) {
        guard let seconds = ArgumentText.seconds(text) else {
            throw SyntaxProblem("write a time as 150ms, 2s, 1.5min or 1h")
        }
        try self.init(checked: seconds)
    }

    /// For options whose name says seconds, a plain number is allowed.
    init(secondsArgument text: String) throws(SyntaxProblem) {
        if let quantity = Quantity(text), quantity.unit.isEmpty {
            try self.init(checked: quantity.number)
        } else {
            try self.init(argument: text)
        }
    }

    private init(checked seconds: Double) throws(SyntaxProblem) {
        guard seconds <= 1e8 else { throw SyntaxProblem("at most 10^8 seconds") }
        self.init(seconds: seconds)
    }
}

/// A generator's seed.
enum SeedArgument {
    static func seed(_ text: String) throws(SyntaxProblem) -> UInt64 {
        guard let seed = UInt64(text) else {
            throw SyntaxProblem("give a whole number from 0 to \(UInt64.max)")
        }
        return seed
    }
}

/// Rates: a number and `bit`, `kbit`, `mbit`, `gbit`, each per second.
enum RateArgument {
    /// Bytes per second.
    static func bytesPerSecond(_ text: String) throws(SyntaxProblem) -> Double {
        guard let bits = ArgumentText.bitsPerSecond(text) else {
            throw SyntaxProblem("write a rate as 500kbit, 20mbit or 1.5gbit (bits per second)")
        }
        let rate = bits / 8
        guard rate > 0, rate <= 1e12 else {
            throw SyntaxProblem("a rate is above zero and at most 8000gbit")
        }
        return rate
    }
}

/// Sizes: a number of bytes, plain or with `B`, `kB`, `MB`, `GB`, `KiB`, `MiB`, `GiB`.
enum SizeArgument {
    static func bytes(_ text: String) throws(SyntaxProblem) -> Int {
        guard let bytes = ArgumentText.bytes(text) else {
            throw SyntaxProblem("write a size as 1500, 20MB or 64KiB")
        }
        let size = bytes.rounded()
        guard size <= 9e15 else { throw SyntaxProblem("at most 9000TB") }
        return Int(size)
    }
}

/// Caps: a size and `/day`, `/week` or `/month`, which is the default.
extension ByteCap {
    init(argument text: String) throws(SyntaxProblem) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            .map(String.init)
        let period = parts.count > 1 ? Period(rawValue: parts[1]) : .month
        guard let period, let quantity = Quantity(parts[0]), !quantity.unit.isEmpty else {
            throw SyntaxProblem(
                "cap=\(text): write a size and day, week or month, as 50GB/month or 500MB/day")
        }
        let size: Int
        do throws(SyntaxProblem) { size = try SizeArgument.bytes(parts[0]) } catch {
            throw SyntaxProblem("cap=\(text): \(error.description)")
        }
        guard size > 0 else { throw SyntaxProblem("cap=\(text): give a size above zero") }
        self.init(bytes: UInt64(size), period: period)
    }
}

/// A share of one: `0.2`, or `20%`.
enum ShareArgument {
    static func share(_ text: String) throws(SyntaxProblem) -> Double {
        if let share = ArgumentText.share(text) { return share }
        throw SyntaxProblem("write a share as 0.2 or 20%")
    }
}
