package import Pathwise

/// What a stream of the peer turned out to be.
package enum FirstBytes: Sendable {
    /// A forwarding stream, and what followed its opening.
    case opening(Opening, rest: [UInt8])
    /// Something else, for example an item of a transfer: the bytes that were read.
    case other([UInt8])

    /// Reads until the kind of the stream is known.
    ///
    /// - Throws: `ForwardError.malformedOpening` for a forwarding stream with a broken opening;
    ///   `SessionError` or `CancellationError` as `SessionStream.read`.
    package static func read(from stream: SessionStream) async throws -> FirstBytes {
        var bytes: [UInt8] = []
        while true {
            if !bytes.prefix(4).elementsEqual(Opening.magic.prefix(bytes.count)) {
                return .other(bytes)
            }
            if let (opening, length) = try Opening.read(bytes) {
                return .opening(opening, rest: Array(bytes[length...]))
            }
            let more = try await stream.read(atMost: 16_384)
            if more.isEmpty { return .other(bytes) }
            bytes += more
        }
    }
}
