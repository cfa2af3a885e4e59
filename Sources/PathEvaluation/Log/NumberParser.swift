import Glibc

/// Parses decimal numbers from bytes, correctly rounded and without allocation.
///
/// Up to 19 digits and a power of ten down to 1e-27 are divided exactly in integers, whose
/// remainder decides the rounding; other numbers, which are rare in logs, go to strtod.
enum NumberParser {
    /// Parses bytes as a number; nil if they are not one.
    ///
    /// `nan` and `inf` count as numbers.
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
        takeDigits(start, upTo: end, &index, &mantissa)
        digits = index &- first
        var hasDigit = index > begin
        if index < end, start[index] == 0x2e {
            index &+= 1
            let point = index
            if digits == 0 {
                while index < end, start[index] == 0x30 { index &+= 1 }
            }
            let significant = index
            takeDigits(start, upTo: end, &index, &mantissa)
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

    /// Parses the number at the start of some bytes and returns its length; nil for anything but at
    /// most 19 digits with one point.
    @inline(__always)
    static func prefix(_ start: UnsafePointer<UInt8>, _ count: Int) -> (Double, Int)? {
        var index = 0
        let isNegative = start[0] == 0x2d
        if isNegative { index = 1 }
        let begin = index
        var mantissa: UInt64 = 0
        takeDigits(start, upTo: count, &index, &mantissa)
        var digits = index &- begin
        // More than 19 digits overflow, which is detected after the loops.
        guard digits > 0 else { return nil }
        var scale = 0
        if index < count, start[index] == 0x2e {
            index &+= 1
            let point = index
            while index &+ 8 <= count {
                guard let eight = eightDigits(start + index) else { break }
                mantissa = mantissa &* 100_000_000 &+ eight
                index &+= 8
            }
            takeDigits(start, upTo: count, &index, &mantissa)
            scale = index &- point
            digits &+= scale
            guard scale > 0 else { return nil }
        }
        guard digits <= 19 else { return nil }
        let value = quotient(mantissa, scale)
        return (isNegative ? -value : value, index)
    }

    /// Appends digits to the mantissa, which overflows after 19 digits.
    @inline(__always)
    private static func takeDigits(
        _ start: UnsafePointer<UInt8>, upTo end: Int, _ index: inout Int, _ mantissa: inout UInt64
    ) {
        while index < end {
            let digit = start[index] &- 0x30
            guard digit < 10 else { return }
            mantissa = mantissa &* 10 &+ UInt64(digit)
            index &+= 1
        }
    }

    /// Parses eight digits at once; nil if one of the bytes is not a digit.
    ///
    /// Source: Lemire, "Number parsing at a gigabyte per second", 2021, section 4.
    @inline(__always)
    private static func eightDigits(_ start: UnsafePointer<UInt8>) -> UInt64? {
        var word = UInt64(
            littleEndian: UnsafeRawPointer(start).loadUnaligned(as: UInt64.self))
        let high: UInt64 = 0xf0f0_f0f0_f0f0_f0f0
        guard
            word & high | ((word &+ 0x0606_0606_0606_0606) & high) &>> 4
                == 0x3333_3333_3333_3333
        else { return nil }
        word &-= 0x3030_3030_3030_3030
        word = word &* 10 &+ (word &>> 8)
        let mask: UInt64 = 0x0000_00ff_0000_00ff
        let left = (word & mask) &* 0x000f_4240_0000_0064
        let right = ((word &>> 16) & mask) &* 0x0000_2710_0000_0001
        return (left &+ right) &>> 32
    }

    /// 5^0 to 5^27.
    private static let powersOfFive: [UInt64] = [
        0x1, 0x5, 0x19, 0x7d, 0x271, 0xc35, 0x3d09, 0x1312d, 0x5f5e1, 0x1dcd65, 0x9502f9,
        0x2e90edd, 0xe8d4a51, 0x48c2_7395, 0x1_6bcc_41e9, 0x7_1afd_498d, 0x23_86f2_6fc1,
        0xb1_a2bc_2ec5,
        0x378_2dac_e9d9, 0x1158_e460_913d, 0x56bc_75e2_d631, 0x1_b1ae_4d6e_2ef5, 0x8_7867_8326_eac9,
        0x2a_5a05_8fc2_95ed, 0xd3_c21b_cecc_eda1, 0x422_ca8b_0a00_a425, 0x14ad_f4b7_3203_34b9,
        0x6765_c793_fa10_079d,
    ]
    private static let powersOfTen: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]

    /// `mantissa` / 10^`scale`, correctly rounded.
    @inline(__always)
    private static func quotient(_ mantissa: UInt64, _ scale: Int) -> Double {
        if mantissa <= 1 << 53, scale <= 22 {
            // Both are exact, so the division rounds only once.
            return Double(mantissa) / powersOfTen[scale]
        }
        let divisor = powersOfFive[scale]
        let left = mantissa.leadingZeroBitCount
        let right = divisor.leadingZeroBitCount
        let top = mantissa &<< UInt64(left)
        let (quotient, remainder) = (divisor &<< UInt64(right)).dividingFullWidth(
            (top &>> 1, top &<< 63))
        // The lowest of 63 or 64 bits is a sticky bit for all that follow, so the conversion rounds
        // correctly.
        let rounded = Double(quotient | (remainder == 0 ? 0 : 1))
        let exponent = right - left - 63 - scale
        return rounded * Double(bitPattern: UInt64(1023 + exponent) &<< 52)
    }

    private static func library(_ bytes: UnsafeBufferPointer<UInt8>) -> Double? {
        guard bytes.count <= 400 else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { text in
            for (index, byte) in bytes.enumerated() {
                // Hexadecimal numbers, spaces, and text in parentheses after nan are refused.
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
