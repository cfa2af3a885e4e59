import Glibc

/// Reads decimal numbers out of bytes: correctly rounded, without an allocation.
///
/// Up to 19 digits and a power of ten down to 1e-27 are divided exactly in integers, whose
/// remainder decides the rounding; the rest, which logs hardly have, goes to strtod.
enum NumberParser {
    /// The number that some bytes spell; nil when they spell none.
    ///
    /// `nan` and `inf` are numbers.
    static func double(_ bytes: UnsafeBufferPointer<UInt8>) -> Double? {
        var index = 0
        let end = bytes.count
        guard let start = bytes.baseAddress, end > 0 else { return nil }
        var isNegative = false
        if start[0] == 0x2d || start[0] == 0x2b {
            isNegative = start[0] == 0x2d
            index = 1
        }
        var mantissa: UInt64 = 0
        var digits = 0
        var scale = 0
        let begin = index
        while index < end, start[index] == 0x30 { index &+= 1 }
        let first = index
        while index < end {
            let digit = start[index] &- 0x30
            guard digit < 10 else { break }
            mantissa = mantissa &* 10 &+ UInt64(digit)
            index &+= 1
        }
        digits = index &- first
        var hasDigit = index > begin
        if index < end, start[index] == 0x2e {
            index &+= 1
            let point = index
            if digits == 0 {
                while index < end, start[index] == 0x30 { index &+= 1 }
            }
            let significant = index
            while index < end {
                let digit = start[index] &- 0x30
                guard digit < 10 else { break }
                mantissa = mantissa &* 10 &+ UInt64(digit)
                index &+= 1
            }
            scale = index &- point
            digits &+= index &- significant
            hasDigit = hasDigit || scale > 0
        }
        if index < end, hasDigit, start[index] | 0x20 == 0x65 {
            index &+= 1
            var isBelow = false
            if index < end, start[index] == 0x2d || start[index] == 0x2b {
                isBelow = start[index] == 0x2d
                index &+= 1
            }
            var exponent = 0
            let power = index
            while index < end {
                let digit = start[index] &- 0x30
                guard digit < 10 else { break }
                if exponent < 10_000 { exponent = exponent &* 10 &+ Int(digit) }
                index &+= 1
            }
            guard index > power else { return nil }
            scale = isBelow ? scale &+ exponent : scale &- exponent
        }
        guard index == end, hasDigit, digits <= 19, scale >= 0, scale <= 27 else {
            return library(bytes)
        }
        let value = quotient(mantissa, scale)
        return isNegative ? -value : value
    }

    private static let powersOfFive: [UInt64] = {
        var powers: [UInt64] = [1]
        for _ in 0..<27 { powers.append(powers[powers.count - 1] * 5) }
        return powers
    }()
    private static let powersOfTen: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]

    /// `mantissa` / 10^`scale`, correctly rounded.
    @inline(__always)
    private static func quotient(_ mantissa: UInt64, _ scale: Int) -> Double {
        if mantissa <= 1 << 53, scale <= 22 {
            // Both are exact, so one division rounds once.
            return Double(mantissa) / powersOfTen[scale]
        }
        let divisor = powersOfFive[scale]
        let left = mantissa.leadingZeroBitCount
        let right = divisor.leadingZeroBitCount
        let top = mantissa &<< UInt64(left)
        let (quotient, remainder) = (divisor &<< UInt64(right)).dividingFullWidth(
            (top &>> 1, top &<< 63))
        // The lowest of 63 or 64 bits stands for all that follow, so the conversion rounds right.
        let rounded = Double(quotient | (remainder == 0 ? 0 : 1))
        let exponent = right - left - 63 - scale
        return rounded * Double(bitPattern: UInt64(1023 + exponent) &<< 52)
    }

    private static func library(_ bytes: UnsafeBufferPointer<UInt8>) -> Double? {
        guard bytes.count <= 400 else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { text in
            for (index, byte) in bytes.enumerated() {
                // No hexadecimal numbers, no spaces, no text in parentheses after nan.
                guard byte > 0x20, byte < 0x7f, byte | 0x20 != 0x78, byte != 0x28 else {
                    return nil
                }
                text[index] = CChar(bitPattern: byte)
            }
            text[bytes.count] = 0
            guard let base = text.baseAddress else { return nil }
            var end: UnsafeMutablePointer<CChar>?
            let value = strtod(base, &end)
            return end == base + bytes.count ? value : nil
        }
    }
}
