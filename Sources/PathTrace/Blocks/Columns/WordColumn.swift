/// The changed values of one column of 64-bit words in a block.
///
/// Layout: the count (4 bytes), the form (1 byte), the values. Form 0: 8 bytes each, unchanged;
/// form 1: unsigned integers of 4 bytes; form 2: seconds that are whole nanoseconds, as 4 bytes *n*
/// with the value `n * 1e-9` in double precision.
enum WordColumn {
    /// The kind of a column's words, which tells which narrower form to try.
    enum Content {
        case number, integer, seconds
    }

    static func put(
        _ values: UnsafeBufferPointer<UInt64>, _ content: Content, into bytes: inout BlockBytes
    ) {
        bytes.put(UInt32(values.count))
        guard values.count > 0, let base = values.baseAddress else {
            bytes.put(UInt8(0))
            return
        }
        switch content {
        case .integer where areShort(values):
            bytes.put(UInt8(1))
            let target = bytes.extend(values.count * 4)
            for index in 0..<values.count {
                target.storeBytes(
                    of: UInt32(truncatingIfNeeded: values[index]).littleEndian,
                    toByteOffset: index &* 4, as: UInt32.self)
            }
        case .seconds where areNanoseconds(values):
            bytes.put(UInt8(2))
            let target = bytes.extend(values.count * 4)
            for index in 0..<values.count {
                let number = UInt32(Double(bitPattern: values[index]) * 1e9 + 0.5)
                target.storeBytes(
                    of: number.littleEndian, toByteOffset: index &* 4, as: UInt32.self)
            }
        default:
            bytes.put(UInt8(0))
            bytes.put(base, count: values.count)
        }
    }

    private static func areShort(_ values: UnsafeBufferPointer<UInt64>) -> Bool {
        var all: UInt64 = 0
        for value in values { all |= value }
        return all <= 0xffff_ffff
    }

    private static func areNanoseconds(_ values: UnsafeBufferPointer<UInt64>) -> Bool {
        for value in values {
            let scaled = Double(bitPattern: value) * 1e9
            guard scaled >= 0, scaled < 4.2e9,
                (Double(UInt32(scaled + 0.5)) * 1e-9).bitPattern == value
            else { return false }
        }
        return true
    }

    /// A column in its encoded form in the block.
    struct Encoded {
        var count: Int
        var form: UInt8
        var bytes: UnsafeRawBufferPointer

        /// No values.
        @inline(__always) static var none: Encoded {
            Encoded(count: 0, form: 0, bytes: UnsafeRawBufferPointer(start: nil, count: 0))
        }
    }

    static func take(
        from reader: inout BlockReader, limit: Int
    ) throws(BlockFault) -> Encoded {
        let count = Int(try reader.take(UInt32.self))
        let form = try reader.take(UInt8.self)
        guard count <= limit else { throw BlockFault("has a column of \(count) values") }
        guard form <= 2 else { throw BlockFault("has a column of form \(form)") }
        return Encoded(
            count: count, form: form,
            bytes: try reader.take(bytes: count &* (form == 0 ? 8 : 4)))
    }
}

extension WordColumn.Encoded {
    /// Expands the values to words; there must be room for `count`.
    func expand(into words: UnsafeMutablePointer<UInt64>) {
        guard let base = bytes.baseAddress, count > 0 else { return }
        switch form {
        case 0:
            #if _endian(little)
                UnsafeMutableRawPointer(words).copyMemory(from: base, byteCount: count &* 8)
            #else
                for index in 0..<count {
                    words[index] = UInt64(
                        littleEndian: base.loadUnaligned(
                            fromByteOffset: index &* 8, as: UInt64.self))
                }
            #endif
        case 1: for index in 0..<count { words[index] = UInt64(short(base, index)) }
        default:
            for index in 0..<count {
                words[index] = (Double(short(base, index)) * 1e-9).bitPattern
            }
        }
    }

    /// Writes the values of the given rows, `stride` apart; a negative row gets the first value.
    ///
    /// - Precondition: the column has values, and rows are below `count`.
    func gather(
        _ rows: Span<Int32>, into target: UnsafeMutablePointer<Double>, stride: Int
    ) {
        spread(rows.count, into: target, stride: stride) { max(0, Int(rows[$0])) }
    }

    /// Writes all values, `stride` apart.
    func scatter(into target: UnsafeMutablePointer<Double>, stride: Int) {
        spread(count, into: target, stride: stride) { $0 }
    }

    @inline(__always)
    private func spread(
        _ number: Int, into target: UnsafeMutablePointer<Double>, stride: Int,
        _ row: (Int) -> Int
    ) {
        guard let base = bytes.baseAddress else { return }
        switch form {
        case 0:
            for index in 0..<number {
                target[index &* stride] = Double(
                    bitPattern: UInt64(
                        littleEndian: base.loadUnaligned(
                            fromByteOffset: row(index) &* 8, as: UInt64.self)))
            }
        case 1:
            for index in 0..<number {
                target[index &* stride] = Double(bitPattern: UInt64(short(base, row(index))))
            }
        default:
            for index in 0..<number {
                target[index &* stride] = Double(short(base, row(index))) * 1e-9
            }
        }
    }

    @inline(__always)
    private func short(_ base: UnsafeRawPointer, _ index: Int) -> UInt32 {
        UInt32(littleEndian: base.loadUnaligned(fromByteOffset: index &* 4, as: UInt32.self))
    }
}
