import PathTelemetry

/// A named array of numbers.
public struct Tensor: Sendable, Equatable {
    /// How the file stores the numbers; in memory they are doubles.
    public enum Kind: String, Sendable {
        case float32 = "F32"
        case float64 = "F64"

        var byteCount: Int { self == .float32 ? 4 : 8 }
    }

    public let name: String
    public let kind: Kind
    public let shape: [Int]
    /// In row-major order.
    public let values: [Double]

    public init(name: String, kind: Kind = .float64, shape: [Int], values: [Double]) {
        self.name = name
        self.kind = kind
        self.shape = shape
        self.values = values
    }
}

/// The contents of a safetensors file: tensors and text metadata.
///
/// The file has eight bytes with the header's length (little-endian), a JSON header, then the
/// numbers of all tensors without gaps. Keys are written in order, so equal contents give equal
/// bytes; Python's `safetensors` package can read it. Source: huggingface/safetensors, README,
/// "Format".
public struct Safetensors: Sendable, Equatable {
    static let headerLimit: UInt64 = 1 << 20
    static let fileLimit: UInt64 = 64 << 20
    private static let tensorLimit = 256

    public var metadata: [String: String]
    public var tensors: [Tensor]

    public init(metadata: [String: String], tensors: [Tensor]) {
        self.metadata = metadata
        self.tensors = tensors
    }

    /// The tensor of that name.
    public subscript(name: String) -> Tensor? { tensors.first { $0.name == name } }

    /// Reads a file.
    ///
    /// - Throws: `LearningError.model` with the reason.
    public static func load(_ path: String) throws(LearningError) -> Safetensors {
        do throws(ModelProblem) {
            return try Safetensors(bytes: try FileBytes.read(path, limit: fileLimit))
        } catch {
            throw .model(file: path, problem: error)
        }
    }

    /// Writes a file atomically.
    public func save(_ path: String) throws(LearningError) {
        do throws(ModelProblem) {
            try FileBytes.write(bytes(), to: path)
        } catch {
            throw .model(file: path, problem: error)
        }
    }

    // MARK: Reading

    /// Reads a file's bytes; refuses files that break a rule of the format, claim more data than
    /// they contain, have other types than F32 and F64, or contain a number that is not finite.
    public init(bytes: [UInt8]) throws(ModelProblem) {
        let size = UInt64(bytes.count)
        guard size <= Safetensors.fileLimit else {
            throw .oversized(what: "a file", size: size, limit: Safetensors.fileLimit)
        }
        guard size >= 8 else { throw .truncated(expected: 8, actual: size) }
        var length: UInt64 = 0
        for index in (0..<8).reversed() { length = length << 8 | UInt64(bytes[index]) }
        guard length <= Safetensors.headerLimit else {
            throw .oversized(what: "a header", size: length, limit: Safetensors.headerLimit)
        }
        guard length <= size - 8 else { throw .truncated(expected: 8 + length, actual: size) }
        let start = 8 + Int(length)
        guard bytes[8..<start].first == UInt8(ascii: "{") else {
            throw .malformed("the header does not start with '{'")
        }
        guard case .object(let members) = try JSONParser.parse(bytes[8..<start]) else {
            throw .malformed("the header is not an object")
        }
        guard members.count <= Safetensors.tensorLimit else {
            throw .oversized(
                what: "a number of tensors", size: UInt64(members.count),
                limit: UInt64(Safetensors.tensorLimit))
        }
        metadata = [:]
        var entries: [Entry] = []
        for (name, value) in members {
            if name == "__metadata__" {
                metadata = try Safetensors.texts(value)
            } else {
                entries.append(try Entry(name: name, value))
            }
        }
        entries.sort { ($0.begin, $0.end) < ($1.begin, $1.end) }
        var end: UInt64 = 0
        for entry in entries {
            guard entry.begin == end else {
                throw .malformed("tensor \"\(entry.name)\" leaves a gap or overlaps another")
            }
            end = entry.end
        }
        let available = size - UInt64(start)
        guard end <= available else {
            throw .truncated(expected: UInt64(start) + end, actual: size)
        }
        guard end == available else {
            throw .malformed("\(available - end) bytes belong to no tensor")
        }
        tensors = []
        for entry in entries { tensors.append(try entry.read(bytes, from: start)) }
    }

    private static func texts(_ value: JSONValue) throws(ModelProblem) -> [String: String] {
        guard case .object(let members) = value else {
            throw .malformed("the metadata is not an object")
        }
        var result: [String: String] = [:]
        for (name, value) in members {
            guard case .string(let text) = value else {
                throw .malformed("metadata \"\(name)\" is not a text")
            }
            result[name] = text
        }
        return result
    }

    /// The header's entry for one tensor, checked for consistency.
    private struct Entry {
        let name: String
        let kind: Tensor.Kind
        let shape: [Int]
        let begin: UInt64
        let end: UInt64

        init(name: String, _ value: JSONValue) throws(ModelProblem) {
            guard case .object(let members) = value else {
                throw .malformed("tensor \"\(name)\" is not an object")
            }
            var kind: Tensor.Kind?
            var shape: [UInt64]?
            var offsets: [UInt64]?
            for (key, value) in members {
                switch (key, value) {
                case ("dtype", .string(let text)):
                    kind = Tensor.Kind(rawValue: text)
                    if kind == nil { throw .notAModel("tensor \"\(name)\" is of type \(text)") }
                case ("shape", .array(let list)):
                    shape = Entry.integers(list)
                case ("data_offsets", .array(let list)):
                    offsets = Entry.integers(list)
                default:
                    throw .malformed("tensor \"\(name)\" has an unusable \"\(key)\"")
                }
            }
            guard let kind, let shape, let offsets, shape.count <= 8, offsets.count == 2,
                offsets[0] <= offsets[1]
            else { throw .malformed("tensor \"\(name)\" lacks a type, a shape or offsets") }
            var size = UInt64(kind.byteCount)
            for extent in shape {
                let (product, overflow) = size.multipliedReportingOverflow(by: extent)
                guard !overflow, product <= Safetensors.fileLimit else {
                    throw .oversized(
                        what: "tensor \"\(name)\"", size: overflow ? .max : product,
                        limit: Safetensors.fileLimit)
                }
                size = product
            }
            guard offsets[1] - offsets[0] == size else {
                throw .malformed(
                    "tensor \"\(name)\" has \(offsets[1] - offsets[0]) bytes, its shape "
                        + "says \(size)")
            }
            // If another extent is zero, the size does not bound this one.
            guard shape.allSatisfy({ $0 <= Safetensors.fileLimit }) else {
                throw .malformed("tensor \"\(name)\" has an absurd shape")
            }
            self.name = name
            self.kind = kind
            self.shape = shape.map { Int($0) }
            begin = offsets[0]
            end = offsets[1]
        }

        private static func integers(_ values: [JSONValue]) -> [UInt64]? {
            var result: [UInt64] = []
            for value in values {
                guard case .integer(let integer) = value else { return nil }
                result.append(integer)
            }
            return result
        }

        /// The numbers; the caller has checked that they lie within the file.
        func read(_ bytes: [UInt8], from start: Int) throws(ModelProblem) -> Tensor {
            let width = kind.byteCount
            var values: [Double] = []
            values.reserveCapacity(Int(end - begin) / width)
            var position = start + Int(begin)
            let limit = start + Int(end)
            while position < limit {
                var bits: UInt64 = 0
                for index in (0..<width).reversed() {
                    bits = bits << 8 | UInt64(bytes[position + index])
                }
                let number =
                    kind == .float64
                    ? Double(bitPattern: bits)
                    : Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
                guard number.isFinite else { throw .nonFinite(tensor: name) }
                values.append(number)
                position += width
            }
            return Tensor(name: name, kind: kind, shape: shape, values: values)
        }
    }

    // MARK: Writing

    /// The file's bytes.
    public func bytes() -> [UInt8] {
        var header = "{\"__metadata__\":{"
        header += metadata.sorted { $0.key < $1.key }
            .map { Safetensors.quoted($0.key) + ":" + Safetensors.quoted($0.value) }
            .joined(separator: ",")
        header += "}"
        var offset = 0
        for tensor in tensors {
            let end = offset + tensor.values.count * tensor.kind.byteCount
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            header += ",\(Safetensors.quoted(tensor.name)):{\"dtype\":\"\(tensor.kind.rawValue)\","
            header += "\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}"
            offset = end
        }
        header += "}"
        // The numbers begin at a multiple of eight, as the format requires.
        header += String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
        var result: [UInt8] = []
        result.reserveCapacity(8 + header.utf8.count + offset)
        Safetensors.append(UInt64(header.utf8.count), width: 8, to: &result)
        result += Array(header.utf8)
        for tensor in tensors {
            for value in tensor.values {
                let bits =
                    tensor.kind == .float64
                    ? value.bitPattern : UInt64(Float(value).bitPattern)
                Safetensors.append(bits, width: tensor.kind.byteCount, to: &result)
            }
        }
        return result
    }

    private static func append(_ bits: UInt64, width: Int, to bytes: inout [UInt8]) {
        for index in 0..<width { bytes.append(UInt8(truncatingIfNeeded: bits >> (8 * index))) }
    }

    private static func quoted(_ text: String) -> String {
        var bytes: [UInt8] = []
        JSONText.append(text, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
