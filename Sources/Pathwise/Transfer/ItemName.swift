import PathTelemetry

/// The name of an item, as bytes: file systems know no encoding.
///
/// Relative, its components joined by slashes.
public struct ItemName: Hashable, Sendable {
    public var bytes: [UInt8]

    public init(bytes: [UInt8]) { self.bytes = bytes }

    /// The name as text; nil when it is not UTF-8.
    public var text: String? { String(validating: bytes, as: UTF8.self) }

    /// The components if the name stays below the folder that it is put in: relative, no empty
    /// one, no `.`, no `..`, no NUL, none longer than a file system takes.
    var components: [[UInt8]]? {
        let parts = bytes.split(
            separator: UInt8(ascii: "/"), omittingEmptySubsequences: false
        ).map(Array.init)
        let isSafe = parts.allSatisfy { part in
            !part.isEmpty && part != [0x2e] && part != [0x2e, 0x2e] && part.count <= 255
                && !part.contains(0)
        }
        return isSafe && !parts.isEmpty ? parts : nil
    }

    /// The name of something inside the folder of this name.
    func appending(_ component: [UInt8]) -> ItemName {
        ItemName(bytes: bytes + [UInt8(ascii: "/")] + component)
    }
}

extension ItemName: CustomStringConvertible {
    /// Safe to show: control characters and bytes that are not UTF-8 are written out.
    public var description: String { EscapedText(bytes: bytes).description }
}

/// A path of the system as the C library takes it.
func withPath<Result, Failure: Error>(
    _ path: [UInt8], _ body: (UnsafePointer<CChar>) throws(Failure) -> Result
) throws(Failure) -> Result {
    let terminated = path.map { CChar(bitPattern: $0) } + [0]
    let span = terminated.span
    return try span.withUnsafeBufferPointer { (buffer) throws(Failure) in
        guard let start = buffer.baseAddress else { return try body("") }
        return try body(start)
    }
}

/// A path to show.
func shown(_ path: [UInt8]) -> String { EscapedText(bytes: path).description }
