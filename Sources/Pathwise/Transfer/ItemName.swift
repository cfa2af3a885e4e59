import PathTelemetry

/// The name of an item, as bytes, because file systems have no encoding.
///
/// It is relative, with its components separated by slashes.
public struct ItemName: Hashable, Sendable {
    public var bytes: [UInt8]

    public init(bytes: [UInt8]) { self.bytes = bytes }

    /// The name as text; nil if it is not UTF-8.
    public var text: String? { String(validating: bytes, as: UTF8.self) }

    /// The components, or nil if the name could leave its folder or is invalid: it has to be
    /// relative, without empty components, `.`, `..`, NUL, or a component too long for a file
    /// system.
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

    /// The name of an entry in the folder of this name.
    func appending(_ component: [UInt8]) -> ItemName {
        ItemName(bytes: bytes + [UInt8(ascii: "/")] + component)
    }
}

extension ItemName: CustomStringConvertible {
    /// The name with control characters and bytes that are not UTF-8 escaped, safe to show.
    public var description: String { EscapedText(bytes: bytes).description }
}

/// Calls `body` with a path as a C string.
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
